//! inferlog-capture
