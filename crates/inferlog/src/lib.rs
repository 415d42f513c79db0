//! inferlog
