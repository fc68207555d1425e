//! The conversation at the prompt: a line from the user, the server's reply, the next line; what the server
//! sends unasked appears above the line being typed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::Settings;
use super::display::{Display, UserInput};
use super::outbox::Outbox;
use super::terminal::Terminal;
use crate::connect::conversation::{Conversation, Progress};
use crate::connect::eol::Eol;
use crate::deadline::{TimeLimit, at};
use crate::messages;
use crate::signals::{Signal, Signals};
use crate::status::{Failure, Status};

/// When the prompt returns without a reply, and how long the server may take to close before the user is told.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much is received at a time: a terminal shows it more slowly than that.
const BUFFER: usize = 16 * 1024;

/// Talks until the server closes its sending side, or the user quits.
///
/// A signal that ends the conversation is an error, Ctrl-C on an empty line ([`Status::Interrupted`]) too.
pub(in crate::connect) async fn run(
    conversation: &mut Conversation,
    settings: &Settings,
    terminal: &mut Terminal,
    signals: &mut Signals,
    eol: Option<Eol>,
    limit: &TimeLimit,
) -> Result<()> {
    let mut talk = Talk::start(settings, terminal, eol.unwrap_or(Eol::Lf))?;
    let result = limit.apply(talk.run(conversation, signals)).await.flatten();
    let stopped = talk.display.stop().await;
    if talk.is_users_end() {
        talk.display.keep_unread();
    }
    let result = result.and_then(|()| talk.close(conversation));
    // After a hangup the terminal is gone: that it cannot be written to is not the news.
    result.and(stopped)
}

struct Talk<'a> {
    display: Display<'a>,
    outbox: Outbox,
    /// Whether a line waits for the reply to the one before, however long it takes.
    is_lockstep: bool,
    turn: Phase,
}

/// Who is expected to act.
///
/// ```text
///              ┌───────────────── Enter ────────────────┐
///              │                                        ▼
/// start ───► User ◄─── a reply, 500 ms, or Ctrl-C ─── Server ◄─── start, if the server is to speak
///             │ │
///        Ctrl-D └─── Ctrl-C on an empty line ──┐
///             ▼                                ▼
///           Ended ────── Ctrl-C ────────────► Quit
/// ```
#[derive(Debug)]
enum Phase {
    /// The user has the prompt.
    User {
        /// Whether a SIGINT has come in place of Ctrl-C on the line, before the editor had the terminal. The kernel
        /// has then discarded what was typed.
        was_interrupted: bool,
    },
    /// The user has sent something, and has no prompt.
    Server {
        since: Instant,
    },
    /// The user has ended the conversation. The server's last words are shown.
    Ended {
        since: Instant,
        is_announced: bool,
    },
    Quit,
}

impl<'a> Talk<'a> {
    fn start(settings: &'a Settings, terminal: &'a mut Terminal, eol: Eol) -> Result<Self> {
        Ok(Self {
            display: Display::start(settings, terminal, eol != Eol::None)?,
            outbox: Outbox::new(eol, settings.lockstep),
            is_lockstep: settings.lockstep.is_some(),
            turn: Phase::Server { since: Instant::now() },
        })
    }

    async fn run(&mut self, conversation: &mut Conversation, signals: &mut Signals) -> Result<()> {
        let mut buffer = Vec::with_capacity(BUFFER);
        if self.outbox.is_waiting() {
            conversation.await_greeting();
        } else if conversation.is_reply_outstanding() && !self.is_lockstep {
            self.outbox.await_reply();
        }
        self.advance(conversation)?;
        loop {
            let screen = Arc::clone(self.display.screen());
            let has_room = screen.has_room();
            let (reply_ends, patience_ends) = (self.reply_ends(), self.patience_ends());
            tokio::select! {
                // A terminal that hung up is also at its end.
                biased;
                signal = signals.next() => self.on_signal(signal)?,
                progress = conversation.next(has_room.then_some(&mut buffer)) => match progress? {
                    Progress::Received => {
                        self.outbox.receive(&buffer);
                        self.display.receive(&buffer)?;
                        buffer.clear();
                    }
                    Progress::Sent => self.outbox.on_sent(),
                    Progress::Ended => {}
                    Progress::ServerEnded | Progress::Refused => return Ok(()),
                },
                () = screen.room(), if !has_room => {}
                input = self.display.next() => self.on_input(input?, conversation)?,
                () = at(reply_ends) => {
                    self.outbox.end_reply();
                    self.advance(conversation)?;
                }
                () = at(patience_ends) => self.lose_patience(conversation)?,
            }
        }
    }

    fn on_signal(&mut self, signal: Signal) -> Result<()> {
        if signal != Signal::Interrupt {
            return Err(Failure::from(signal).into());
        }
        if self.display.may_have_interrupted() {
            return Ok(());
        }
        match &mut self.turn {
            Phase::User { was_interrupted: was_interrupted @ false } if !self.display.is_dumb() => {
                *was_interrupted = true;
                Ok(())
            }
            Phase::Server { .. } => {
                self.outbox.clear();
                self.turn = Phase::User { was_interrupted: true };
                self.display.open()
            }
            Phase::User { .. } | Phase::Ended { .. } | Phase::Quit => self.quit(),
        }
    }

    fn on_input(&mut self, input: UserInput, conversation: &mut Conversation) -> Result<()> {
        match input {
            UserInput::Lines(lines) => {
                self.outbox.push(lines);
                self.turn = Phase::Server { since: Instant::now() };
                self.advance(conversation)
            }
            UserInput::End => {
                self.turn = Phase::Ended { since: Instant::now(), is_announced: false };
                self.advance(conversation)
            }
            UserInput::Quit => self.quit(),
        }
    }

    fn quit(&mut self) -> Result<()> {
        self.turn = Phase::Quit;
        Err(Failure::new(Status::Interrupted, "interrupted").into())
    }

    /// Sends the next line if no reply is awaited. If none is left, shows the prompt or ends this side.
    fn advance(&mut self, conversation: &mut Conversation) -> Result<()> {
        if let Some(bytes) = self.outbox.next() {
            conversation.send(bytes);
            if let Phase::Server { since } = &mut self.turn {
                *since = Instant::now();
            }
        }
        match self.turn {
            Phase::Server { .. } if !self.outbox.is_waiting() => self.give_turn()?,
            Phase::Ended { .. } if self.outbox.is_empty() => conversation.end(),
            Phase::User { .. } | Phase::Server { .. } | Phase::Ended { .. } | Phase::Quit => {}
        }
        Ok(())
    }

    fn give_turn(&mut self) -> Result<()> {
        self.turn = Phase::User { was_interrupted: false };
        self.display.open()
    }

    fn reply_ends(&self) -> Option<Instant> {
        self.outbox.reply_ends(self.is_lockstep || self.display.has_servers_prompt())
    }

    fn patience_ends(&self) -> Option<Instant> {
        match self.turn {
            Phase::Server { since } => Some(since + PATIENCE),
            Phase::Ended { since, is_announced: false } => {
                Some(since.max(self.display.last_received()) + PATIENCE)
            }
            Phase::User { .. } | Phase::Ended { .. } | Phase::Quit => None,
        }
    }

    fn lose_patience(&mut self, conversation: &mut Conversation) -> Result<()> {
        match &mut self.turn {
            Phase::Server { .. } if self.is_lockstep => self.give_turn(),
            Phase::Server { .. } => {
                self.outbox.end_reply();
                self.advance(conversation)
            }
            Phase::Ended { is_announced, .. } => {
                *is_announced = true;
                let awaited = if self.outbox.is_empty() { "close the connection" } else { "reply" };
                self.display.report(&format!("waiting for the server to {awaited} (Ctrl-C to quit)"))
            }
            Phase::User { .. } | Phase::Quit => Ok(()),
        }
    }

    /// Whether it was the user who ended the conversation.
    fn is_users_end(&self) -> bool {
        matches!(self.turn, Phase::Ended { .. } | Phase::Quit)
    }

    /// After the server has closed its sending side.
    fn close(&self, conversation: &Conversation) -> Result<()> {
        if !self.outbox.is_empty() {
            return Err(conversation.closed_early());
        }
        if !self.is_users_end() {
            messages::report(format_args!("{} closed the connection", conversation.address()));
        }
        Ok(())
    }
}
