//! The conversation at the prompt: a line from the user, the server's reply, the next line; what the server
//! sends unasked appears above the line being typed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::Settings;
use super::editor::{Action, Editor};
use super::escape::Escaper;
use super::screen::Screen;
use crate::connect::conversation::{Conversation, Progress};
use crate::connect::eol::Eol;
use crate::connect::reply::{QUIET_GAP, Reply};
use crate::deadline::{TimeLimit, at};
use crate::messages;
use crate::signals::{Signal, Signals};
use crate::status::{Failure, Status};

/// When the prompt returns without a reply.
const PROMPT_LIMIT: Duration = Duration::from_millis(500);

/// How much of an unterminated line is held back from the screen above a prompt.
const PARTIAL_LIMIT: usize = 16 * 1024;

/// How much is received at a time: a terminal shows it more slowly than that.
const BUFFER: usize = 16 * 1024;

/// Talks until the server has ended its side, or the user quits, and restores the terminal.
///
/// A signal that ends the conversation is an error, Ctrl-C on an empty line ([`Status::Interrupted`]) too.
pub(in crate::connect) async fn run(
    conversation: &mut Conversation,
    settings: &Settings,
    eol: Option<Eol>,
    limit: &TimeLimit,
) -> Result<()> {
    let mut talk = Talk::start(settings, eol.unwrap_or(Eol::Lf))?;
    let result = limit.apply(talk.run(conversation)).await.flatten();
    talk.editor.stop().await;
    let shown = talk.show_rest();
    if result.is_ok() && !talk.has_user_ended {
        messages::report(format_args!("{} closed the connection", conversation.address()));
    }
    // After a hangup the terminal is gone: that it cannot be written to is not the news.
    result.and(shown)
}

struct Talk {
    screen: Arc<Screen>,
    editor: Editor,
    eol: Eol,
    /// Whether the prompt waits for a reply, however long it takes.
    lockstep: bool,
    /// Pasted lines that are not sent yet.
    lines: VecDeque<String>,
    /// The line that was sent last and its reply, while there is no prompt.
    exchange: Option<Exchange>,
    has_user_ended: bool,
    escaper: Escaper,
    /// The start of a line from the server, which is not shown above a prompt before it is complete, or nothing
    /// has followed for a while.
    partial: String,
    last_received: Instant,
}

/// A line that was sent, and its reply.
struct Exchange {
    since: Instant,
    reply: Reply,
}

impl Talk {
    fn start(settings: &Settings, eol: Eol) -> Result<Self> {
        let screen = Arc::new(Screen::new());
        Ok(Self {
            editor: Editor::start(&settings.text, settings.history.clone(), &screen)?,
            screen,
            eol,
            lockstep: settings.lockstep,
            lines: VecDeque::new(),
            exchange: None,
            has_user_ended: false,
            escaper: Escaper::default(),
            partial: String::new(),
            last_received: Instant::now(),
        })
    }

    async fn run(&mut self, conversation: &mut Conversation) -> Result<()> {
        let signals = Signals::listen(&[Signal::Hangup, Signal::Quit, Signal::Terminate]);
        let mut signals = signals.context("could not listen for signals")?;
        let mut buffer = Vec::with_capacity(BUFFER);
        self.editor.prompt().context(TERMINAL)?;
        loop {
            let has_room = self.screen.has_room();
            let exchange_ends = self.exchange_ends();
            let partial_is_due = self.partial_is_due();
            tokio::select! {
                // A terminal that hung up is also at its end.
                biased;
                signal = signals.next() => return Err(Failure::from(signal).into()),
                progress = conversation.next(has_room.then_some(&mut buffer)) => match progress? {
                    Progress::Received => {
                        self.receive(&buffer).context(TERMINAL)?;
                        buffer.clear();
                    }
                    Progress::Sent | Progress::Ended => {}
                    Progress::ServerEnded | Progress::Refused => return Ok(()),
                },
                () = self.screen.room(), if !has_room => {}
                action = self.editor.next() => self.on_action(action, conversation)?,
                () = at(exchange_ends) => self.end_exchange(conversation).context(TERMINAL)?,
                () = at(partial_is_due) => self.show_partial().context(TERMINAL)?,
            }
        }
    }

    fn on_action(&mut self, action: Action, conversation: &mut Conversation) -> Result<()> {
        // Without a prompt there is room for the start of a line.
        if !self.editor.is_editing() {
            self.editor.show(&std::mem::take(&mut self.partial)).context(TERMINAL)?;
        }
        match action {
            Action::Lines(lines) => {
                self.lines.extend(lines);
                self.end_exchange(conversation).context(TERMINAL)
            }
            Action::End => {
                self.has_user_ended = true;
                conversation.end();
                Ok(())
            }
            Action::Interrupt => Err(Failure::new(Status::Interrupted, "interrupted").into()),
            Action::Failed(error) => Err(error).context("could not read the terminal"),
        }
    }

    /// Sends the next line that was typed or pasted, or shows the prompt.
    fn end_exchange(&mut self, conversation: &mut Conversation) -> io::Result<()> {
        while let Some(line) = self.lines.pop_front() {
            let bytes = [line.as_bytes(), self.eol.bytes()].concat();
            // Without line endings, an empty line is nothing at all.
            if !bytes.is_empty() {
                conversation.send(bytes);
                self.exchange = Some(Exchange { since: Instant::now(), reply: Reply::default() });
                return Ok(());
            }
        }
        self.exchange = None;
        self.editor.prompt()
    }

    /// When the exchange ends if nothing more arrives.
    fn exchange_ends(&self) -> Option<Instant> {
        let Exchange { since, reply } = self.exchange.as_ref()?;
        let limit = (!self.lockstep).then(|| *since + PROMPT_LIMIT);
        let quiet = match reply.quiet_at() {
            // The next pasted line needs no more than a complete reply.
            Some(_) if reply.has_line() && !self.lines.is_empty() => Some(*since),
            quiet if reply.has_line() || self.lockstep || !self.lines.is_empty() => quiet,
            _ => None,
        };
        [limit, quiet].into_iter().flatten().min()
    }

    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last_received = Instant::now();
        if let Some(exchange) = &mut self.exchange {
            exchange.reply.receive(bytes);
        }
        let text = self.escaper.escape(bytes);
        let complete = match text.rfind('\n') {
            _ if !self.editor.is_editing() => text.len(),
            Some(line_feed) => line_feed + 1,
            None if self.partial.len() < PARTIAL_LIMIT => 0,
            None => {
                self.partial.push_str(&text);
                return self.show_partial();
            }
        };
        let mut lines = String::new();
        if complete > 0 {
            lines = std::mem::take(&mut self.partial) + &text[..complete];
        }
        self.partial.push_str(&text[complete..]);
        self.editor.show(&lines)
    }

    /// Shows the start of a line as a line of its own.
    fn show_partial(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial) + "\n";
        self.editor.show(&line)
    }

    fn partial_is_due(&self) -> Option<Instant> {
        (!self.partial.is_empty()).then(|| self.last_received + QUIET_GAP)
    }

    /// Shows what was held back: nothing follows it.
    fn show_rest(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.partial) + &self.escaper.flush();
        self.editor.show(&rest).and_then(|()| self.editor.end_line()).context(TERMINAL)
    }
}

const TERMINAL: &str = "could not write to the terminal";
