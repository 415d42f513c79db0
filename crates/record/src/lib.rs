//! inferlog-record
