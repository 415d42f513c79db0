//! The command line.

mod admin;
mod bench;
mod cli;
mod commands;
mod demo;
mod http_server;
mod logging;
mod model;
mod output;
mod when;

fn main() -> std::process::ExitCode {
    cli::run()
}
