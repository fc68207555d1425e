//! Tests from outside: at the binary, on real sockets and a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connect;
mod conversations;
mod interactive;
mod interop;
mod readme;
mod serve;
mod support;
mod terminal;
mod transcripts;
