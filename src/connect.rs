//! `capchat connect`: a prompt on a terminal, and a lossless pipe everywhere else.
//!
//! The main flow owns the socket, the clock and the end of the program. What cannot be cancelled (reading
//! standard input, writing standard output, editing a line) has a thread of its own, which is left behind
//! where it is when the main flow ends. Only to a terminal with a prompt does the main flow write itself: so a
//! terminal that is stopped (Ctrl-S) stops it, too.

mod check;
mod conversation;
mod editor;
mod eol;
mod escape;
mod history;
mod interactive;
mod limit;
mod lockstep;
mod options;
mod pipe;
mod piped;
mod reply;
mod report;
mod screen;
mod session;
mod stdio;
mod suspend;

use anyhow::{Context, Result};
use rustix::stdio::{stdin, stdout};
use std::io::IsTerminal;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, Status};
use crate::output;
use crate::recording::Recording;
use crate::transcript::Side;
use crate::transport::DialError;
pub use check::CheckOptions;
use conversation::Conversation;
pub use eol::Eol;
use limit::TimeLimit;
pub use options::Options;
pub use report::Format;

/// Talks to a server until one of the two sides has ended the conversation.
///
/// # Errors
/// Each carries the line for the user; a [`Failure`] those whose exit status is not 1.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("could not start the client")?;
    let result = runtime.block_on(connect(options));
    // A host's look-up that hangs is not waited for.
    runtime.shutdown_background();
    result
}

async fn connect(options: &Options) -> Result<()> {
    let address = options.dialer.address.to_string();
    let limit = TimeLimit::from_now(options.max_time, &address);
    if let Some(check) = &options.check {
        return check::run(check, options, &limit).await;
    }
    // Before anything is said that could not be recorded.
    let recording = options.record.as_deref().map(record).transpose()?;
    let mut stream = limit.apply(options.dialer.dial(|failure| tell(failure, options.verbose))).await??;
    if options.verbose {
        output::tell(format_args!("connected to {address}"));
    }
    if let Some(recording) = &recording {
        stream.observe(Box::new(recording.clone()));
    }
    // The prompt sees to signals itself, and leaves the terminal as it was.
    let is_interactive = stdin().is_terminal() && stdout().is_terminal();
    let mut conversation = Conversation::new(stream, address, options.timeout);
    let result = if is_interactive {
        interactive::run(&mut conversation, options, &limit).await
    } else {
        tokio::select! {
            result = limit.apply(pipe(&mut conversation, options)) => result.flatten(),
            interruption = interrupted(), if recording.is_some() => interruption,
        }
    };
    if options.verbose {
        let (sent, received) = (conversation.sent(), conversation.received());
        output::tell(format_args!("bytes sent {sent}, received {received}"));
    }
    let recorded = recording.map_or(Ok(()), |recording| recording.finish());
    // What went wrong in the conversation comes first.
    result.and(recorded.with_context(|| not_written(options)))
}

fn record(path: &Path) -> Result<Recording> {
    Recording::replace(path, Side::Client).with_context(|| format!("could not write {}", path.display()))
}

fn not_written(options: &Options) -> String {
    format!("could not write {}", options.record.as_deref().unwrap_or(Path::new("")).display())
}

/// Waits for a signal that would end the program at once, and with it the recording.
async fn interrupted() -> Result<()> {
    let signals =
        signal(SignalKind::interrupt()).and_then(|first| Ok((first, signal(SignalKind::terminate())?)));
    let (mut interrupt, mut terminate) = signals.context("could not listen for signals")?;
    tokio::select! {
        _ = interrupt.recv() => Err(Failure::new(Status::Interrupted, "interrupted").into()),
        _ = terminate.recv() => Err(Failure::new(Status::Terminated, "terminated").into()),
    }
}

async fn pipe(conversation: &mut Conversation, options: &Options) -> Result<()> {
    if options.lockstep {
        lockstep::run(conversation, options.eol).await
    } else {
        piped::run(conversation, options.eol).await
    }
}

/// Tells of an attempt to connect that failed and is not the last.
fn tell(failure: &DialError, is_verbose: bool) {
    if is_verbose {
        output::tell(format_args!("{failure}; trying again"));
    }
}
