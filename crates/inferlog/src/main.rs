//! The command line.

#![expect(dead_code, reason = "the commands that use these parts come next")]

mod http_server;
mod model;
mod output;
mod when;

fn main() {}
