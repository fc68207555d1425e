//! capchat: a scriptable, line-oriented netcat.
//!
//! The program is [`main`]. What else is public is for the tests and benchmarks, and not a stable interface.
//! CONTRIBUTING.md describes the structure; tests/layers.rs holds the imports to it.

mod blocking;
pub mod capitals;
mod check;
pub mod cli;
mod connect;
mod deadline;
mod duration;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod memory;
pub mod message;
mod messages;
mod playing;
mod runtime;
mod serve;
mod settings;
mod signals;
pub mod status;
mod text;
mod transcript;
mod transport;
mod usage;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use status::{Status, status_of};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let status = match Cli::try_parse() {
        Ok(cli) => match run(cli.command) {
            Ok(()) => Status::Success,
            Err(error) => {
                let (status, message) = (status_of(&error), messages::with_causes(&error));
                match status {
                    Status::TimedOut => messages::report_timeout(message),
                    _ => messages::report(message),
                }
                status
            }
        },
        Err(error) => explain(&error),
    };
    ExitCode::from(status as u8)
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(args) => serve::run(&settings::serve(args)?),
        Command::Connect(args) => connect::run(&settings::connect(args)?),
        Command::Check(args) => check::run(&settings::check(args)?),
    }
}

/// Prints help if it was asked for, and otherwise what is wrong with the command line.
fn explain(error: &clap::Error) -> Status {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let reason = messages::reason(&error);
                messages::report(format_args!("could not write to standard output: {reason}"));
                Status::Failure
            }
            _ => Status::Success,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            // To standard error: if that fails, no reader is left to report it to.
            let _ = error.print();
            Status::Usage
        }
        _ => {
            messages::report(usage::message(error));
            Status::Usage
        }
    }
}
