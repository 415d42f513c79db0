//! The hot store: decisions and events in SQLite or PostgreSQL, derived from the log and rebuilt from it at will.
