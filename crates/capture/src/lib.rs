//! Ways in: the gateway in front of a model server, and the wires that it understands.

pub mod config;
pub mod route;
pub mod wire;
