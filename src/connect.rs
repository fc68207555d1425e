//! `capchat connect`: a prompt on a terminal, and a lossless pipe everywhere else.
//!
//! The main flow owns the socket, the clock and the end of the program. What cannot be cancelled (reading
//! standard input, writing standard output, editing a line) has a thread of its own, which is left behind
//! where it is when the main flow ends.

mod conversation;
mod editor;
mod eol;
mod escape;
mod history;
mod interactive;
mod lockstep;
mod pipe;
mod piped;
mod reply;
mod screen;
mod stdio;
mod suspend;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Status};
use crate::output;
use crate::transport::Dialer;
use conversation::Conversation;
pub use eol::Eol;

/// What a client is started with.
#[derive(Debug)]
pub struct Options {
    /// How the server is reached.
    pub dialer: Dialer,
    /// Whether each line waits for the reply to the one before.
    pub lockstep: bool,
    /// How lines that are sent end.
    pub eol: Eol,
    /// How long the server may keep silent while it owes a reply; `None` for ever.
    pub timeout: Option<Duration>,
    /// How long everything may take; `None` for ever.
    pub max_time: Option<Duration>,
    /// The prompt on a terminal.
    pub prompt: String,
    /// Whether the prompt's history is read and kept.
    pub history: bool,
    /// Whether standard error tells what happens to the connection.
    pub verbose: bool,
}

/// Talks to a server until one of the two sides has ended the conversation.
///
/// # Errors
/// Each carries the line for the user; [`Failure`] those whose exit status is not 1.
pub fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("could not start the client")?;
    let result = runtime.block_on(connect(options));
    // A host's look-up that hangs is not waited for.
    runtime.shutdown_background();
    result
}

async fn connect(options: &Options) -> Result<()> {
    let limit = TimeLimit::from_now(options.max_time);
    let address = options.dialer.address.to_string();
    let dial = options.dialer.dial(|failure| {
        if options.verbose {
            output::tell(format_args!("{failure}; trying again"));
        }
    });
    let stream = limit.apply(dial).await??;
    if options.verbose {
        output::tell(format_args!("connected to {address}"));
    }
    let mut conversation = Conversation::new(stream, address, options.timeout);
    let result = if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        interactive::run(&mut conversation, options, limit).await
    } else if options.lockstep {
        limit.apply(lockstep::run(&mut conversation, options.eol)).await.flatten()
    } else {
        limit.apply(piped::run(&mut conversation, options.eol)).await.flatten()
    };
    if options.verbose {
        output::tell(format_args!(
            "bytes sent {}, received {}",
            conversation.sent(),
            conversation.received()
        ));
    }
    result
}

/// The limit on the whole run, where there is one.
#[derive(Clone, Copy, Debug)]
struct TimeLimit(Option<(Instant, Duration)>);

impl TimeLimit {
    fn from_now(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| (Instant::now() + limit, limit)))
    }

    /// Waits for `work`, and fails when the time has run out.
    async fn apply<T>(self, work: impl Future<Output = T>) -> Result<T> {
        let Some((end, limit)) = self.0 else {
            return Ok(work.await);
        };
        timeout_at(end, work)
            .await
            .map_err(|_| Failure::new(Status::TimedOut, format_args!("not done within {limit:?}")).into())
    }
}
