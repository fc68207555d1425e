//! `capchat connect`: a prompt on a terminal, and a lossless pipe everywhere else.
//!
//! The main flow owns the socket, the clock and the end of the program. What cannot be cancelled (reading
//! standard input, writing standard output, editing a line) has a thread of its own, which is left behind
//! where it is when the main flow ends. Only to a terminal with a prompt does the main flow write itself: so a
//! terminal that is stopped (Ctrl-S) stops it, too.

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
mod screen;
mod session;
mod stdio;
mod suspend;

use anyhow::{Context, Result};
use std::io::IsTerminal;

use crate::output;
use conversation::Conversation;
pub use eol::Eol;
use limit::TimeLimit;
pub use options::Options;

/// Talks to a server until one of the two sides has ended the conversation.
///
/// # Errors
/// Each carries the line for the user; a [`Failure`](crate::failure::Failure) those whose exit status is not 1.
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
        interactive::run(&mut conversation, options, &limit).await
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
