//! Lockstep: send one line, wait for its reply, send the next.

use anyhow::Result;
use tokio::time::{Instant, timeout};

use super::standard::{OutputEvent, OutputReader, StandardInput, StandardOutput};
use crate::connect::Lockstep;
use crate::connect::conversation::{Conversation, Progress};
use crate::connect::eol::{Eol, EolWriter};
use crate::connect::reply::{Completion, QUIET_GAP, Reply};
use crate::deadline::at;

/// Longer lines are sent in pieces, so that memory is bounded even if a line never ends.
const LONGEST_PIECE: usize = 64 * 1024;

/// Sends standard input line by line, until the server closes its sending side.
///
/// A line that was not sent by then has no reply, even if the server would take it: that is a failure.
pub(in crate::connect) async fn run(
    conversation: &mut Conversation,
    eol: Option<Eol>,
    lockstep: Lockstep,
) -> Result<()> {
    let completion = lockstep.gap.map_or(Completion::Line, Completion::Gap);
    let mut lines = Lines::new(StandardInput::open());
    let mut output = StandardOutput::open()?;
    let mut eol = EolWriter::new(eol);
    let mut state = State::AwaitingInput;
    if lockstep.greeting {
        conversation.await_greeting();
        state = State::AwaitingReply(Reply::new(completion));
    }
    loop {
        if state.is_reply_complete() {
            state = State::AwaitingInput;
        }
        // While standard output is behind, nothing is received, and its silence is not the server's.
        let quiet_at = state.quiet_at().filter(|_| output.is_receiving());
        let wants_line = matches!(state, State::AwaitingInput) && conversation.wants_input();
        tokio::select! {
            // A close that has arrived is seen before another line is sent.
            biased;
            event = output.next(conversation) => match event? {
                OutputEvent::Conversation(Progress::Received) => {
                    state.receive(output.received());
                    output.write();
                }
                OutputEvent::Conversation(Progress::Sent) => state = state.on_sent(),
                OutputEvent::Conversation(Progress::Ended) => {}
                OutputEvent::Conversation(Progress::ServerEnded | Progress::Refused) => break,
                OutputEvent::Written => state.on_written(),
                OutputEvent::ReaderGone => return Ok(()),
            },
            () = at(quiet_at) => state = State::AwaitingInput,
            piece = lines.next(), if wants_line => {
                state = lines.send(piece, &mut eol, conversation, completion);
            }
        }
    }
    if output.close().await? == OutputReader::Gone {
        return Ok(());
    }
    let has_lines_left = conversation.has_unsent()
        || matches!(timeout(QUIET_GAP, lines.next()).await, Ok(piece) if !piece.is_empty());
    if has_lines_left { Err(conversation.closed_early()) } else { lines.input.finish() }
}

/// Whose turn it is.
///
/// ```text
///                ┌─────────────── complete, or quiet ──────────────┐
///                ▼                                                 │
/// start ──► AwaitingInput ── line ──► Sending ── all sent ──► AwaitingReply ◄── start, with a greeting
///                │
///                └── end of input ──► InputEnded
/// ```
#[derive(Debug)]
enum State {
    AwaitingInput,
    /// A reply may arrive before all of a long line is sent.
    Sending(Reply),
    AwaitingReply(Reply),
    InputEnded,
}

impl State {
    fn receive(&mut self, bytes: &[u8]) {
        match self {
            Self::Sending(reply) | Self::AwaitingReply(reply) => reply.receive(bytes),
            Self::AwaitingInput | Self::InputEnded => {}
        }
    }

    fn on_written(&mut self) {
        match self {
            Self::Sending(reply) | Self::AwaitingReply(reply) => reply.restart_gap(),
            Self::AwaitingInput | Self::InputEnded => {}
        }
    }

    fn on_sent(self) -> Self {
        match self {
            Self::Sending(mut reply) => {
                reply.on_sent();
                Self::AwaitingReply(reply)
            }
            Self::AwaitingInput | Self::AwaitingReply(_) | Self::InputEnded => self,
        }
    }

    fn is_reply_complete(&self) -> bool {
        match self {
            Self::AwaitingReply(reply) => reply.is_complete(),
            Self::AwaitingInput | Self::Sending(_) | Self::InputEnded => false,
        }
    }

    fn quiet_at(&self) -> Option<Instant> {
        match self {
            Self::AwaitingReply(reply) => reply.quiet_at(),
            Self::AwaitingInput | Self::Sending(_) | Self::InputEnded => None,
        }
    }
}

/// Standard input, cut into lines.
#[derive(Debug)]
struct Lines {
    input: StandardInput,
    buffer: Vec<u8>,
    start: usize,
    /// There is no line feed before this index.
    searched: usize,
    has_ended: bool,
    /// Whether the last piece completed a line.
    is_at_end_of_line: bool,
}

impl Lines {
    fn new(input: StandardInput) -> Self {
        Self { input, buffer: Vec::new(), start: 0, searched: 0, has_ended: false, is_at_end_of_line: true }
    }

    /// Sends the last piece, and returns whose turn it is then.
    fn send(
        &self,
        piece: Vec<u8>,
        eol: &mut EolWriter,
        conversation: &mut Conversation,
        completion: Completion,
    ) -> State {
        let is_last = piece.last() != Some(&b'\n') && self.has_ended;
        let bytes = eol.rewrite(piece);
        let is_empty = bytes.is_empty();
        conversation.send(bytes);
        if is_last {
            // A server that reads lines would wait for the end of this one.
            conversation.send(eol.finish());
            conversation.end();
            State::InputEnded
        } else if is_empty || !self.is_at_end_of_line {
            State::AwaitingInput
        } else {
            State::Sending(Reply::new(completion))
        }
    }

    /// The next line with its ending, or a piece of a long one; nothing at the end of the input. Cancel-safe.
    async fn next(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                return self.take(self.searched + end + 1, true);
            }
            self.searched = self.buffer.len();
            if self.has_ended {
                return self.take(self.buffer.len(), true);
            }
            if self.buffer.len() - self.start >= LONGEST_PIECE {
                return self.take(self.buffer.len(), false);
            }
            let chunk = self.input.next().await;
            self.has_ended = chunk.is_empty();
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
            self.buffer.extend_from_slice(&chunk);
            self.input.recycle(chunk);
        }
    }

    fn take(&mut self, end: usize, is_at_end_of_line: bool) -> Vec<u8> {
        let piece = self.buffer[self.start..end].to_vec();
        self.start = end;
        self.searched = end;
        self.is_at_end_of_line = is_at_end_of_line;
        piece
    }
}
