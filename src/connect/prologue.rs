//! The prologue: the client side of a transcript, played before the conversation.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::conversation::Conversation;
use crate::deadline::TimeLimit;
use crate::messages;
use crate::playing::{Performance, Recording, Trace, Values, open};
use crate::status::{Failure, Status};
use crate::text::printable;
use crate::transcript::{self, Connection, Diff, Playable, ReportText, Side};
use crate::transport::{Observer, Stream};

/// Prologue settings.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    /// The values of variables.
    pub(crate) values: Values,
    /// Whether the report of a mismatch is colored.
    pub(crate) has_colors: bool,
}

/// A prologue that is ready to be played.
pub(super) struct Prologue {
    playable: Playable,
    text: ReportText,
    /// Whether standard error shows it.
    is_verbose: bool,
}

fn observers(recording: Option<Recording>, trace: Option<Trace>) -> Vec<Box<dyn Observer>> {
    let recording = recording.map(|recording| Box::new(recording) as Box<dyn Observer>);
    recording.into_iter().chain(trace.map(|trace| Box::new(trace) as _)).collect()
}

impl Settings {
    /// Returns a usage failure if the file is not the transcript of an open connection, or uses other variables.
    pub(super) async fn open(&self, limit: &TimeLimit, is_verbose: bool) -> Result<Prologue> {
        let (path, values) = (self.path.clone(), self.values.clone());
        let opened = limit.apply_blocking(Duration::ZERO, move || {
            let playable = open(&path, Side::Client, &values)?;
            playable.check_one_connection("a prologue has one").map_err(Failure::usage)?;
            playable.check_open_end().map_err(Failure::usage)?;
            values.check_use(std::slice::from_ref(&playable))?;
            Ok(playable)
        });
        let text = ReportText { has_colors: self.has_colors };
        opened.await?.map(|playable| Prologue { playable, text, is_verbose })
    }
}

impl Prologue {
    /// Plays it, and returns the conversation as it goes on.
    ///
    /// A mismatch is reported, and a failure.
    pub(super) async fn play(
        mut self,
        mut stream: Stream,
        address: String,
        timeout: Option<Duration>,
        recording: Option<Recording>,
    ) -> Result<Conversation> {
        let trace = self.is_verbose.then(|| Trace::new(&self.playable, Connection::FIRST, Instant::now()));
        stream.observe(observers(recording.clone(), trace));
        let is_users_limit = self.playable.shorten_timeout(timeout);
        let mut performance =
            Performance::new(transcript::Prologue::new(self.playable.clone()), Some(stream));
        match performance.run(None).await {
            Ok(handover) => {
                let is_reply_due = handover.is_servers_turn || !handover.unread.is_empty();
                let mut link =
                    performance.into_link(handover.unread).expect("the connection of the prologue");
                link.observe(observers(recording, None));
                let mut conversation = Conversation::new(link, address, timeout);
                if is_reply_due {
                    conversation.await_greeting();
                }
                Ok(conversation)
            }
            Err(divergence) => {
                let diff = Diff::new(&self.playable, &divergence, &address);
                // A standard error that is closed has no reader to report it to.
                let _ =
                    messages::write_to_stderr(&self.text.failure(&printable(&diff.headline), &diff.lines));
                Err(if is_users_limit && divergence.limit().is_some() {
                    let message = format_args!("the prologue failed against {address}: timed out");
                    Failure::new(Status::TimedOut, message)
                } else {
                    Failure::new(Status::Mismatch, format_args!("the prologue failed against {address}"))
                }
                .into())
            }
        }
    }
}
