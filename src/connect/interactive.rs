//! The prompt: a line from the user, the server's reply, the next line; and whatever comes unasked above the
//! line being typed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::conversation::{Conversation, Event};
use super::editor::{Editor, Input};
use super::eol::Eol;
use super::escape::Escaper;
use super::limit::TimeLimit;
use super::options::Options;
use super::reply::{QUIET_GAP, Reply};
use super::screen::Screen;
use crate::deadline::at;
use crate::failure::{Failure, Status};
use crate::output;

/// How long the prompt stays away while no reply comes.
const PROMPT_LIMIT: Duration = Duration::from_millis(500);

/// How much of a line without an end is held back from the screen above a prompt.
const PARTIAL_LIMIT: usize = 16 * 1024;

/// How much is received at once: a terminal shows it slower than that.
const BUFFER: usize = 16 * 1024;

/// Talks until the server has ended its side, or the user leaves. The terminal is then as it was before.
///
/// # Errors
/// Those of the conversation and the terminal, and [`Status::Interrupted`] and [`Status::Terminated`].
pub(super) async fn run(conversation: &mut Conversation, options: &Options, limit: &TimeLimit) -> Result<()> {
    let mut talk = Talk::start(options)?;
    let result = limit.apply(talk.run(conversation)).await.flatten();
    talk.editor.stop().await;
    talk.show_rest()?;
    if result.is_ok() && !talk.has_user_ended {
        output::tell(format_args!("{} closed the connection", conversation.address()));
    }
    result
}

struct Talk {
    screen: Arc<Screen>,
    editor: Editor,
    eol: Eol,
    /// Whether the prompt waits for a reply for however long it takes.
    lockstep: bool,
    /// Lines that were pasted and are not sent yet.
    lines: VecDeque<String>,
    /// The server's turn, while there is no prompt.
    turn: Option<Turn>,
    has_user_ended: bool,
    escaper: Escaper,
    /// The beginning of a line from the server, which is not shown above a prompt before it is whole, or
    /// nothing has followed for a while.
    partial: String,
    last_received: Instant,
}

/// The server's turn: from a line that was sent to its reply.
struct Turn {
    since: Instant,
    reply: Reply,
}

impl Talk {
    fn start(options: &Options) -> Result<Self> {
        let screen = Arc::new(Screen::new());
        Ok(Self {
            editor: Editor::start(&options.prompt, options.history, &screen)?,
            screen,
            eol: options.eol,
            lockstep: options.lockstep,
            lines: VecDeque::new(),
            turn: None,
            has_user_ended: false,
            escaper: Escaper::default(),
            partial: String::new(),
            last_received: Instant::now(),
        })
    }

    async fn run(&mut self, conversation: &mut Conversation) -> Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("could not listen for signals")?;
        let mut buffer = Vec::with_capacity(BUFFER);
        self.editor.prompt().context(TERMINAL)?;
        loop {
            let has_room = self.screen.has_room();
            let turn_ends = self.turn_ends();
            let partial_is_due = self.partial_is_due();
            tokio::select! {
                event = conversation.next(has_room.then_some(&mut buffer)) => match event? {
                    Event::Received => {
                        self.receive(&buffer).context(TERMINAL)?;
                        buffer.clear();
                    }
                    Event::Sent => {}
                    Event::Closed => return Ok(()),
                },
                () = self.screen.room(), if !has_room => {}
                input = self.editor.next() => self.on_input(input, conversation)?,
                _ = terminate.recv() => return Err(Failure::new(Status::Terminated, "terminated").into()),
                () = at(turn_ends) => self.end_turn(conversation).context(TERMINAL)?,
                () = at(partial_is_due) => self.show_partial().context(TERMINAL)?,
            }
        }
    }

    fn on_input(&mut self, input: Input, conversation: &mut Conversation) -> Result<()> {
        // Without a prompt there is room for the beginning of a line.
        if !self.editor.is_editing() {
            self.editor.show(&std::mem::take(&mut self.partial)).context(TERMINAL)?;
        }
        match input {
            Input::Lines(lines) => {
                self.lines.extend(lines);
                self.end_turn(conversation).context(TERMINAL)
            }
            Input::End => {
                self.has_user_ended = true;
                conversation.end();
                Ok(())
            }
            Input::Interrupt => Err(Failure::new(Status::Interrupted, "interrupted").into()),
            Input::Failed(error) => Err(error).context("could not read the terminal"),
        }
    }

    /// Sends the next line that was typed or pasted, or gives the user the prompt.
    fn end_turn(&mut self, conversation: &mut Conversation) -> io::Result<()> {
        while let Some(line) = self.lines.pop_front() {
            let bytes = [line.as_bytes(), self.eol.bytes()].concat();
            // Where lines have no ends, an empty one is nothing at all.
            if !bytes.is_empty() {
                conversation.send(bytes);
                self.turn = Some(Turn { since: Instant::now(), reply: Reply::default() });
                return Ok(());
            }
        }
        self.turn = None;
        self.editor.prompt()
    }

    /// When the server's turn ends if nothing more comes.
    fn turn_ends(&self) -> Option<Instant> {
        let Turn { since, reply } = self.turn.as_ref()?;
        let limit = (!self.lockstep).then(|| *since + PROMPT_LIMIT);
        let quiet = match reply.quiet_at() {
            // The next pasted line needs no more than a whole reply.
            Some(_) if reply.has_line() && !self.lines.is_empty() => Some(*since),
            quiet if reply.has_line() || self.lockstep || !self.lines.is_empty() => quiet,
            _ => None,
        };
        [limit, quiet].into_iter().flatten().min()
    }

    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last_received = Instant::now();
        if let Some(turn) = &mut self.turn {
            turn.reply.note(bytes);
        }
        let text = self.escaper.escape(bytes);
        let whole = match text.rfind('\n') {
            _ if !self.editor.is_editing() => text.len(),
            Some(line_feed) => line_feed + 1,
            None if self.partial.len() < PARTIAL_LIMIT => 0,
            None => {
                self.partial.push_str(&text);
                return self.show_partial();
            }
        };
        let mut lines = String::new();
        if whole > 0 {
            lines = std::mem::take(&mut self.partial) + &text[..whole];
        }
        self.partial.push_str(&text[whole..]);
        self.editor.show(&lines)
    }

    /// Shows the beginning of a line as a line of its own.
    fn show_partial(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial) + "\n";
        self.editor.show(&line)
    }

    fn partial_is_due(&self) -> Option<Instant> {
        (!self.partial.is_empty()).then(|| self.last_received + QUIET_GAP)
    }

    /// Shows what was held back, when nothing follows it.
    fn show_rest(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.partial) + &self.escaper.flush();
        self.editor.show(&rest).and_then(|()| self.editor.end_line()).context(TERMINAL)
    }
}

const TERMINAL: &str = "could not write to the terminal";
