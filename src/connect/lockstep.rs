//! One line at a time: send it, wait for its reply, send the next.

use anyhow::Result;
use tokio::time::timeout;

use super::conversation::{Conversation, Event};
use super::eol::{Eol, EolWriter};
use super::pipe::{Input, Output, Step};
use super::reply::{QUIET_GAP, Reply};
use crate::deadline::at;
use crate::failure::{Failure, Status};

/// A line that is longer is sent in pieces, so that a line without an end needs no memory without an end.
const LONGEST_PIECE: usize = 64 * 1024;

/// Sends standard input line by line, until the server has ended its side.
///
/// # Errors
/// Those of the conversation and of the standard streams, and [`Status::Mismatch`] where the server closed
/// before all lines were sent.
pub(super) async fn run(conversation: &mut Conversation, eol: Eol) -> Result<()> {
    let mut lines = Lines::new(Input::open());
    let mut output = Output::open()?;
    let mut eol = EolWriter::new(eol);
    let mut state = State::WaitsForInput;
    loop {
        if state.is_reply_complete() {
            state = State::WaitsForInput;
        }
        // While standard output is behind, nothing is received, and its silence is not the server's.
        let quiet_at = state.quiet_at().filter(|_| output.is_receiving());
        let wants_line = matches!(state, State::WaitsForInput) && conversation.wants_input();
        tokio::select! {
            // A close that has arrived is seen before another line is sent.
            biased;
            step = output.step(conversation) => match step? {
                Step::Event(Event::Received) => {
                    state.note(output.received());
                    output.write();
                }
                Step::Event(Event::Sent) => state.note_sent(),
                Step::Event(Event::Closed) => break,
                Step::Written => state.note_written(),
                Step::ReaderGone => return Ok(()),
            },
            () = at(quiet_at) => state = State::WaitsForInput,
            piece = lines.next(), if wants_line => state = lines.send(piece, &mut eol, conversation),
        }
    }
    output.finish().await?;
    let has_lines_left = conversation.has_unsent()
        || matches!(timeout(QUIET_GAP, lines.next()).await, Ok(piece) if !piece.is_empty());
    if has_lines_left {
        let address = conversation.address();
        let message = format_args!("{address} closed the connection before all lines were sent");
        return Err(Failure::new(Status::Mismatch, message).into());
    }
    lines.input.finish()
}

/// Whose turn it is.
#[derive(Debug)]
enum State {
    WaitsForInput,
    WaitsForReply { reply: Reply, is_sent: bool },
    InputEnded,
}

impl State {
    fn note(&mut self, bytes: &[u8]) {
        if let Self::WaitsForReply { reply, .. } = self {
            reply.note(bytes);
        }
    }

    fn note_written(&mut self) {
        if let Self::WaitsForReply { reply, .. } = self {
            reply.restart_gap();
        }
    }

    fn note_sent(&mut self) {
        if let Self::WaitsForReply { is_sent, .. } = self {
            *is_sent = true;
        }
    }

    fn is_reply_complete(&self) -> bool {
        matches!(self, Self::WaitsForReply { reply, is_sent: true } if reply.has_line())
    }

    fn quiet_at(&self) -> Option<tokio::time::Instant> {
        match self {
            Self::WaitsForReply { reply, is_sent: true } => reply.quiet_at(),
            _ => None,
        }
    }
}

/// Standard input, cut into lines.
#[derive(Debug)]
struct Lines {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    /// Up to where there is no line feed.
    searched: usize,
    has_ended: bool,
    /// Whether a line ended with the piece that was taken last.
    is_at_end_of_line: bool,
}

impl Lines {
    fn new(input: Input) -> Self {
        Self { input, buffer: Vec::new(), start: 0, searched: 0, has_ended: false, is_at_end_of_line: true }
    }

    /// Sends the piece that was taken last, and says whose turn it is then.
    fn send(&self, piece: Vec<u8>, eol: &mut EolWriter, conversation: &mut Conversation) -> State {
        let is_last = piece.last() != Some(&b'\n') && self.has_ended;
        let bytes = eol.rewrite(piece);
        let is_empty = bytes.is_empty();
        conversation.send(bytes);
        if is_last {
            // A server that takes lines only would wait for this one's end.
            conversation.send(eol.finish());
            conversation.end();
            State::InputEnded
        } else if is_empty || !self.is_at_end_of_line {
            State::WaitsForInput
        } else {
            State::WaitsForReply { reply: Reply::default(), is_sent: false }
        }
    }

    /// The next line with its end, or a piece of a long one; nothing at the end of the input. Cancelled at
    /// any point, it loses nothing.
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
