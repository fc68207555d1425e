//! `capchat connect`: a prompt on a terminal, and a lossless pipe everywhere else.
//!
//! The main flow owns the connection, the clock and the end of the program. What cannot be canceled (reading
//! standard input, writing standard output, editing a line) runs in a thread of its own, which is abandoned
//! wherever it is when the main flow ends. The exception is a terminal with a prompt: the main flow writes to
//! it directly, so a stopped terminal (Ctrl-S) stops it too.

mod conversation;
mod eol;
mod opening;
mod prologue;
mod prompt;
mod reply;
mod streams;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::deadline::TimeLimit;
use crate::messages;
use crate::playing::Recording;
use crate::runtime;
use crate::signals::{self, Signal, Signals};
use crate::status::Failure;
use crate::transcript::Secrets;
use crate::transport::Link;
use conversation::Conversation;
pub(crate) use eol::Eol;
pub(crate) use opening::Opening;
pub(crate) use prologue::Settings as PrologueSettings;
pub(crate) use prompt::Settings as PromptSettings;
use prompt::Terminal;

/// Client settings.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) opening: Opening,
    /// What is played before anything is read from standard input, if anything is.
    pub(crate) prologue: Option<PrologueSettings>,
    pub(crate) mode: Mode,
    /// Line ending to send; `None` keeps that of the input.
    pub(crate) eol: Option<Eol>,
    /// How long the server may be silent while something is outstanding; `None` means no limit.
    pub(crate) timeout: Option<Duration>,
    /// Limits the whole run; `None` means no limit.
    pub(crate) max_time: Option<Duration>,
    /// The file to which the conversation is recorded, if any.
    pub(crate) record: Option<PathBuf>,
    /// What the recording does not show.
    pub(crate) secrets: Secrets,
    /// Whether standard error reports what happens to the connection.
    pub(crate) verbose: bool,
}

/// How the conversation is held.
#[derive(Debug)]
pub(crate) enum Mode {
    /// At a prompt on a terminal.
    Prompt(PromptSettings),
    /// Standard input and output, both directions simultaneously.
    Pipe {
        /// Whether the end of input is awaited, however long that takes, after the server has ended.
        until_eof: bool,
    },
    /// Standard input line by line, each after the reply to the one before.
    Lockstep(Lockstep),
}

/// What counts as a reply in lockstep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lockstep {
    /// Whether the server speaks first.
    pub(crate) greeting: bool,
    /// How much silence ends a reply, which may then have any number of lines; `None` means that it is one line.
    pub(crate) gap: Option<Duration>,
}

impl Mode {
    fn prompt(&self) -> Option<&PromptSettings> {
        match self {
            Self::Prompt(prompt) => Some(prompt),
            Self::Pipe { .. } | Self::Lockstep(_) => None,
        }
    }
}

/// Talks to a server, or to a client that connects, until one of the two sides has ended the conversation.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    let runtime = runtime::start().context("could not start the client")?;
    runtime.block_on(connect(settings))
}

async fn connect(settings: &Settings) -> Result<()> {
    signals::survive_file_size_limit().context("could not handle a signal")?;
    let limit = TimeLimit::from_now(settings.max_time);
    let prologue = match &settings.prologue {
        Some(prologue) => Some(prologue.open(&limit, settings.verbose).await?),
        None => None,
    };
    // Created first, so that nothing is said that could not be recorded.
    let recording = match &settings.record {
        Some(path) => {
            let recording = Recording::replace(path, settings.opening.side(), settings.secrets.clone());
            Some(recording.with_context(|| not_created(settings))?)
        }
        None => None,
    };
    let is_prompt = settings.mode.prompt().is_some();
    let opening = &settings.opening;
    let mut interruption =
        Interruption::new(recording.is_some() || opening.has_file() || opening.has_tls() || is_prompt)?;
    // What is typed while connecting waits for the prompt.
    let mut terminal = match settings.mode.prompt() {
        Some(prompt) => Terminal::take(prompt.is_dumb).context("could not set up the terminal")?,
        None => Terminal::untouched(),
    };
    let (mut stream, address) = interruption.or(limit.apply(opening.open())).await???;
    if let Some(recording) = &recording {
        stream.observe(recording.clone());
    }
    let event = opening.event();
    if is_prompt {
        messages::report(format_args!("{event} {address} (Ctrl-D ends, Ctrl-C quits)"));
    } else if settings.verbose {
        messages::report(format_args!("{event} {address}"));
    }
    let opened = match prologue {
        Some(prologue) => {
            let played = prologue.play(stream, address, settings.timeout, recording.clone());
            interruption.or(limit.apply(played)).await.flatten().flatten()
        }
        None => Ok(Conversation::new(Link::new(stream), address, settings.timeout)),
    };
    let result = match opened {
        Ok(conversation) => converse(conversation, settings, &mut terminal, &limit, &mut interruption).await,
        Err(error) => Err(error),
    };
    let recorded = recording.map_or(Ok(()), |recording| recording.finish());
    // What went wrong in the conversation is reported first.
    result.and(recorded.with_context(|| format!("could not write {}", path(settings))))
}

async fn converse(
    mut conversation: Conversation,
    settings: &Settings,
    terminal: &mut Terminal,
    limit: &TimeLimit,
    interruption: &mut Interruption,
) -> Result<()> {
    let eol = settings.eol;
    let result = match &settings.mode {
        Mode::Prompt(prompt) => {
            prompt::run(&mut conversation, prompt, terminal, &mut interruption.0, eol, limit).await
        }
        Mode::Pipe { until_eof } => {
            let piped = streams::pipe(&mut conversation, eol, *until_eof);
            interruption.or(limit.apply(piped)).await.flatten().flatten()
        }
        Mode::Lockstep(lockstep) => {
            let piped = streams::lockstep(&mut conversation, eol, *lockstep);
            interruption.or(limit.apply(piped)).await.flatten().flatten()
        }
    };
    if settings.verbose {
        let (sent, received) = (conversation.sent(), conversation.received());
        messages::report(format_args!("sent {sent} bytes, received {received} bytes"));
    }
    result
}

fn path(settings: &Settings) -> String {
    settings.record.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

fn not_created(settings: &Settings) -> String {
    format!("cannot create {}", path(settings))
}

/// The signals that would otherwise end the program immediately: lose a recording, leave a socket's file, cut a TLS
/// session, or leave the terminal as the prompt needs it.
struct Interruption(Signals);

impl Interruption {
    fn new(is_needed: bool) -> Result<Self> {
        const ALL: [Signal; 4] = [Signal::Hangup, Signal::Interrupt, Signal::Quit, Signal::Terminate];
        let signals = if is_needed { Signals::listen(&ALL) } else { Ok(Signals::none()) };
        signals.map(Self).context("could not listen for signals")
    }

    /// Waits for `work`, or fails when a signal arrives.
    async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            result = work => Ok(result),
            signal = self.0.next() => Err(Failure::from(signal).into()),
        }
    }
}
