//! inferlog-merkle
