//! SQL of others, answered by a process of its own.
//!
//! What a statement costs cannot be known before it runs, and an engine's own limits are not promises. So whoever is asked (the
//! command line, or a server) starts this program again as a *worker*, which bounds itself by the system's limits before it
//! opens anything ([`confine`]), answers one statement and ends. Its answer comes through a pipe, its verdict as one line of
//! JSON through another; a worker that the system ends has exceeded a limit, and which one its exit status says.
//!
//! A worker has neither keys nor the environment of its parent. Where content is asked for (`--open`), it says where the
//! payloads stand, and the parent has them opened by whoever holds the keystore ([`open`]).

mod confine;
mod job;
pub(crate) mod open;
mod output;
mod process;
mod schema;
mod table;
mod worker;

pub(crate) use job::{Format, IndexAt, Job, PayloadAt};
pub(crate) use output::Output;
pub(crate) use process::{Worker, answer_to, explain};
pub(crate) use worker::{WORKER, work};
