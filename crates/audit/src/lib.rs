//! inferlog-audit
