//! capchat: a scriptable, line-oriented netcat.
//!
//! The program is `main.rs`; this library holds its parts, so that tests and benchmarks can reach them. It
//! promises no stable interface. Imports point down: `serve` and `connect` never import each other, both
//! stand on `transport`, and `transcript`, `message` and
//! `capitals` at the bottom know nothing of sockets.

pub mod capitals;
pub mod cli;
pub mod connect;
pub mod deadline;
pub mod duration;
pub mod failure;
pub mod message;
pub mod output;
pub mod playing;
pub mod printable;
pub mod recording;
pub mod serve;
pub mod transcript;
pub mod transport;
