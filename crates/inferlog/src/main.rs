//! The command line.

mod admin;
mod amount;
mod bench;
mod cli;
mod commands;
mod current;
mod demo;
mod drill;
mod followers;
mod http_server;
mod located;
mod logging;
mod mlflow;
mod model;
mod output;
mod query;
mod reader;
mod retention;
mod tail;
mod voucher;
mod when;

/// Recording a decision takes some two hundred small allocations; the system's allocator took a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
