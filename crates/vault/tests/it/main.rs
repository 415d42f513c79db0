//! The vault from outside: what it promises, on a simulated file system that fails, tears and forgets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails by panicking says where"
)]

mod absorb;
mod crash;
mod erasure;
mod fixtures;
mod harness;
mod hostile;
mod keystore;
mod reader;
mod roots;
mod sealing;
mod threads;
mod withheld;
