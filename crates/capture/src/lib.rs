//! Ways in: the gateway in front of a model server, and the wires that it understands.

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
