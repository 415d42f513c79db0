//! Records taken out: tables in JSON lines, CSV and Parquet, and the formats of others.
//!
//! [`table`] writes rows of named columns as a stream, whatever they are rows of.

pub mod table;
mod text;
