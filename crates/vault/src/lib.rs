//! inferlog-vault
