//! inferlog-log
