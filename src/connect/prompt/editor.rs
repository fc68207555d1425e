//! The line editor as the main flow sees it: it asks for a line, and gets it or the reason why there is none. It
//! can end the editor at any moment, which restores the terminal.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{getpid, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc as async_mpsc;
use tokio::time::timeout;

use super::screen::{END_BRACKETED_PASTE, Screen};
pub(super) use super::session::Action;
use super::session::Session;

/// How long the editor may take to end when it is interrupted. It does not notice while it searches the history.
const LEAVE_LIMIT: Duration = Duration::from_millis(100);

/// The line editor.
#[derive(Debug)]
pub(super) struct Editor {
    screen: Arc<Screen>,
    requests: mpsc::Sender<()>,
    actions: async_mpsc::UnboundedReceiver<Action>,
    /// Wakes the editor; a terminal without editing needs no wake.
    waker: Option<mpsc::Sender<()>>,
    is_editing: bool,
    attributes: Termios,
    /// While this lives, SIGINT does not end the process.
    interrupts: Signal,
}

impl Editor {
    /// Starts the editor's thread.
    pub(super) fn start(prompt: &str, history: Option<PathBuf>, screen: &Arc<Screen>) -> Result<Self> {
        let attributes = tcgetattr(io::stdin()).context("could not read the terminal's attributes")?;
        let interrupts = signal(SignalKind::interrupt()).context("could not listen for signals")?;
        let (requests, requested) = mpsc::channel();
        let (sender, actions) = async_mpsc::unbounded_channel();
        let (waker_sender, waker) = mpsc::channel();
        let session = Session {
            prompt: prompt.to_owned(),
            history,
            screen: Arc::clone(screen),
            attributes: attributes.clone(),
        };
        thread::spawn(move || session.run(&requested, &sender, &waker_sender));
        Ok(Self {
            screen: Arc::clone(screen),
            requests,
            actions,
            waker: waker.recv().unwrap_or_default(),
            is_editing: false,
            attributes,
            interrupts,
        })
    }

    /// Shows the prompt and lets the user type.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        if self.waker.is_some() {
            self.screen.give_to_editor()?;
        } else {
            self.screen.end_line()?;
        }
        self.is_editing = true;
        // If the thread has exited, `next` says so.
        let _ = self.requests.send(());
        Ok(())
    }

    /// Whether the user has a prompt.
    pub(super) fn is_editing(&self) -> bool {
        self.is_editing
    }

    /// Waits for what the user does: at the prompt, or Ctrl-C without one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Action {
        tokio::select! {
            action = self.actions.recv(), if self.is_editing => {
                self.is_editing = false;
                action.unwrap_or(Action::Failed(ReadlineError::Eof))
            }
            // Once the terminal is in raw mode, the editor reads Ctrl-C itself.
            _ = self.interrupts.recv() => Action::Interrupt,
        }
    }

    /// Shows text: above the line being typed if there is one, and then it must consist of complete lines.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if let (true, Some(waker)) = (self.screen.show(text)?, &self.waker) {
            // If the waker has exited, so has the editor, and its last act was to show the text.
            let _ = waker.send(());
        }
        Ok(())
    }

    /// Ends an unterminated line of text.
    pub(super) fn end_line(&self) -> io::Result<()> {
        self.screen.end_line()
    }

    /// Takes the terminal back from a line that is being typed, and restores it.
    pub(super) async fn stop(&mut self) {
        if !self.is_editing {
            return;
        }
        self.is_editing = false;
        if self.waker.is_none() {
            let _ = self.screen.show("\n");
            return;
        }
        // Before the prompt is painted, the terminal may not be in raw mode yet, and would be set to it later.
        let _ = timeout(LEAVE_LIMIT, self.screen.painted()).await;
        let _ = kill_process(getpid(), rustix::process::Signal::INT);
        if timeout(LEAVE_LIMIT, self.actions.recv()).await.is_err() {
            // Nothing can be done about a `tcsetattr` that fails.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.attributes);
            let _ = self.screen.take_from_editor();
            let _ = self.screen.show(&format!("{END_BRACKETED_PASTE}\n"));
        }
    }
}
