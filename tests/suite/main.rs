//! Tests from outside: capchat on real sockets, in pipes, and on a pseudo-terminal.
//!
//! | a test of | goes to |
//! |---|---|
//! | usage errors, messages, the default address | `command_line` |
//! | `-h` and `--help`; completions | `help`, `completions` |
//! | the forms of an address | `addresses` |
//! | `serve`: addresses, messages, log, limits, shutdown | `serve` |
//! | `serve --play` | `mock` |
//! | `serve --forward` | `forward` |
//! | system calls that fail, threads, files that block | `faults` |
//! | `--record`, on either side | `record` |
//! | `connect` in a pipe | `pipe`, `upload`, `lockstep`, `limits` (time limits, `--retry`) |
//! | `connect --listen` | `listen` |
//! | `connect --prologue` | `prologue` |
//! | `connect` on a terminal | `prompt` |
//! | a check of transcripts | `check`, `reports`, `deliveries` (any timing, same result) |
//! | an update of transcripts | `update` |
//! | TLS | `tls` |
//! | holes, variables, `--set`; `--secret` | `holes`; `secrets` |
//! | several connections in a transcript | `connections` |
//! | other programs | `interop` (clients and servers), `real_servers` (sessions with them, and for their clients) |
//! | what gets through a client, next to other clients | `matrix` |
//! | what the README says; the tutorial in the manual; `scripts/install` | `readme`; `tutorial`; `install` |
//!
//! A test that reads better as a shell script or a transcript is one, in `tests/transcripts` or `tests/chats`; `scripts`
//! runs them. What tests share is in `support`. Load and hostile clients are tested in `tests/survival`, completions in
//! `tests/generated.rs`, and man pages in `tests/man_pages.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod check;
mod command_line;
mod completions;
mod connections;
mod deliveries;
mod faults;
mod forward;
mod help;
mod holes;
mod install;
mod interop;
mod limits;
mod listen;
mod lockstep;
mod matrix;
mod mock;
mod pipe;
mod prologue;
mod prompt;
mod readme;
mod real_servers;
mod record;
mod reports;
mod scripts;
mod secrets;
mod serve;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod tutorial;
mod update;
mod upload;
