//! The lossless pipe: standard input to the server and the server's bytes to standard output, both directions
//! simultaneously.
//!
//! ```text
//! both directions --server ended--> upload only --end of input, or quiet--> done
//!        |                               |
//!        +--standard output closed-------+------> done, quietly
//! ```

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::standard::{OutputEvent, OutputReader, StandardInput, StandardOutput};
use crate::connect::conversation::{Conversation, Progress};
use crate::connect::eol::{Eol, EolWriter};
use crate::deadline::at;

/// How long input must be quiet, once the server has ended, to count as ended too.
const QUIET_INPUT: Duration = Duration::from_millis(250);

/// Copies in both directions until the server has ended and all input is sent, or standard output is closed.
///
/// After the server's end, an input that stays open and quiet is given up, unless `until_eof`.
pub(in crate::connect) async fn run(
    conversation: &mut Conversation,
    eol: Option<Eol>,
    until_eof: bool,
) -> Result<()> {
    let mut upload = Upload { input: StandardInput::open(), eol: EolWriter::new(eol) };
    let mut output = StandardOutput::open()?;
    loop {
        let wants_input = conversation.wants_input();
        tokio::select! {
            bytes = upload.input.next(), if wants_input => upload.send(bytes, conversation),
            event = output.next(conversation) => match event? {
                OutputEvent::Conversation(Progress::Received) => output.write(),
                OutputEvent::Conversation(Progress::Sent) => upload.recycle(conversation),
                OutputEvent::Conversation(Progress::Ended) | OutputEvent::Written => {}
                OutputEvent::Conversation(Progress::ServerEnded) => {
                    return upload.finish(output, conversation, until_eof).await;
                }
                OutputEvent::Conversation(Progress::Refused) => {
                    return upload.give_up(output, conversation).await;
                }
                OutputEvent::ReaderGone => return Ok(()),
            },
        }
    }
}

/// Standard input on its way to the server.
struct Upload {
    input: StandardInput,
    eol: EolWriter,
}

impl Upload {
    /// Sends the next bytes; none are the end of the input.
    fn send(&mut self, bytes: Vec<u8>, conversation: &mut Conversation) {
        if bytes.is_empty() {
            conversation.send(self.eol.finish());
            conversation.end();
        } else {
            conversation.send(self.eol.rewrite(bytes));
        }
    }

    fn recycle(&self, conversation: &mut Conversation) {
        self.input.recycle(conversation.take_sent_buffer());
    }

    /// Goes on after the server's end, which does not end the upload: the server may only have shut down its
    /// sending side. Once its bytes are written, standard output is closed.
    async fn finish(
        mut self,
        mut output: StandardOutput,
        conversation: &mut Conversation,
        until_eof: bool,
    ) -> Result<()> {
        let mut quiet_since = Instant::now();
        while !(conversation.has_ended() && output.is_closed()) {
            let wants_input = conversation.wants_input();
            // While bytes are unsent, it is the server that is slow.
            let may_give_up = wants_input && output.is_closed() && !until_eof;
            let quiet_at = may_give_up.then(|| quiet_since + QUIET_INPUT);
            tokio::select! {
                bytes = self.input.next(), if wants_input => {
                    quiet_since = Instant::now();
                    self.send(bytes, conversation);
                }
                progress = conversation.next(None) => match progress? {
                    Progress::Sent => {
                        quiet_since = Instant::now();
                        self.recycle(conversation);
                    }
                    Progress::Refused => return self.give_up(output, conversation).await,
                    Progress::Received | Progress::Ended | Progress::ServerEnded => {}
                },
                reader = output.close(), if !output.is_closed() => {
                    if reader? == OutputReader::Gone {
                        return Ok(());
                    }
                }
                () = at(quiet_at) => break,
            }
        }
        self.input.finish()
    }

    /// Ends after the server takes no more, which is a failure if anything was left to send.
    async fn give_up(self, mut output: StandardOutput, conversation: &Conversation) -> Result<()> {
        if output.close().await? == OutputReader::Gone {
            return Ok(());
        }
        if conversation.has_unsent() { Err(conversation.closed_early()) } else { self.input.finish() }
    }
}
