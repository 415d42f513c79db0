//! Records taken out: tables in JSON lines, CSV and Parquet, and the formats of others.
