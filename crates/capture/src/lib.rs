//! Ways in. Everything that is recorded passes one door, the [`recorder`]; the ways to it are layers on top.
//!
//! - [`recorder`]: decisions and the system's life, sealed and durable. Usable as a library, without any of the rest.
//! - [`gateway`]: an HTTP server in front of model servers that answers nothing it has not recorded.
//! - [`api`]: what an application attaches to a decision, in JSON.
//! - [`wire`]: what the bodies of each protocol say. Pure; a file per protocol.
//! - [`route`], [`config`]: which request goes where, and how that is written down.
//! - [`body`], [`decode`], [`headers`], [`upstream`], [`forward`]: the parts of a reverse proxy. [`forward`] is a whole one,
//!   without a record: the way of requests that are no decisions, and the baseline that the gateway is measured against.
//!
//! What is bounded: a body's length, its decoded length, the time for each step, the connections, what waits for the log. What
//! is deliberately absent: a queue between an answer and its record. An answer waits for its record, or is not given.

pub mod api;
pub mod body;
pub mod config;
pub mod decode;
pub mod forward;
pub mod gateway;
pub mod headers;
pub mod recorder;
pub mod route;
pub mod upstream;
pub mod wire;
