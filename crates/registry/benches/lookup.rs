//! What a lookup takes: `cargo bench -p inferlog-registry`.

fn main() {}
