//! The line editor as the main flow sees it: it asks for a line and gets it, or why there is none. It can end
//! the editor at any moment, and finds the terminal as it was before.

use std::io;
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

use super::history;
use super::screen::{END_BRACKETED_PASTE, Screen};
pub(super) use super::session::Input;
use super::session::Session;

/// How long the editor may take to leave when it is interrupted. It does not notice while it searches the
/// history.
const LEAVE_LIMIT: Duration = Duration::from_millis(100);

/// The line editor.
#[derive(Debug)]
pub(super) struct Editor {
    screen: Arc<Screen>,
    requests: mpsc::Sender<()>,
    inputs: async_mpsc::UnboundedReceiver<Input>,
    /// Wakes the editor; on a terminal that cannot be edited on, there is nothing to wake.
    waker: Option<mpsc::Sender<()>>,
    is_editing: bool,
    attributes: Termios,
    /// While this lives, SIGINT does not end the process.
    interrupts: Signal,
}

impl Editor {
    /// Starts the editor's thread.
    ///
    /// # Errors
    /// Where standard input is no terminal after all, or signals cannot be handled.
    pub(super) fn start(prompt: &str, keep_history: bool, screen: &Arc<Screen>) -> Result<Self> {
        let attributes = tcgetattr(io::stdin()).context("could not read the terminal's attributes")?;
        let interrupts = signal(SignalKind::interrupt()).context("could not listen for signals")?;
        let (requests, requested) = mpsc::channel();
        let (sender, inputs) = async_mpsc::unbounded_channel();
        let (waker_sender, waker) = mpsc::channel();
        let session = Session {
            prompt: prompt.to_owned(),
            history: if keep_history { history::path() } else { None },
            screen: Arc::clone(screen),
            attributes: attributes.clone(),
        };
        thread::spawn(move || session.run(&requested, &sender, &waker_sender));
        Ok(Self {
            screen: Arc::clone(screen),
            requests,
            inputs,
            waker: waker.recv().unwrap_or_default(),
            is_editing: false,
            attributes,
            interrupts,
        })
    }

    /// Shows the prompt and lets the user type.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        if self.waker.is_some() {
            self.screen.give_to_editor()?;
        } else {
            self.screen.end_line()?;
        }
        self.is_editing = true;
        // Where the thread is gone, `next` says so.
        let _ = self.requests.send(());
        Ok(())
    }

    /// Whether the user has a prompt.
    pub(super) fn is_editing(&self) -> bool {
        self.is_editing
    }

    /// Waits for what the user does: at the prompt, or Ctrl-C without one. Cancelled at any point, it loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Input {
        tokio::select! {
            input = self.inputs.recv(), if self.is_editing => {
                self.is_editing = false;
                input.unwrap_or(Input::Failed(ReadlineError::Eof))
            }
            // The editor catches it itself once it has the terminal in raw mode.
            _ = self.interrupts.recv() => Input::Interrupt,
        }
    }

    /// Shows text: above the line being typed, where there is one, and then it must consist of whole lines.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if let (true, Some(waker)) = (self.screen.show(text)?, &self.waker) {
            // Where the waker is gone, so is the editor, and its last act was to show the text.
            let _ = waker.send(());
        }
        Ok(())
    }

    /// Ends an unfinished line of text.
    ///
    /// # Errors
    /// Those of writing to the terminal.
    pub(super) fn end_line(&self) -> io::Result<()> {
        self.screen.end_line()
    }

    /// Takes the terminal back from a line that is being typed, and leaves it as it was at the start.
    pub(super) async fn stop(&mut self) {
        if !self.is_editing {
            return;
        }
        self.is_editing = false;
        if self.waker.is_none() {
            let _ = self.screen.show("\n");
            return;
        }
        // Before the prompt is there, the terminal may not be in raw mode yet, and would be after us.
        let _ = timeout(LEAVE_LIMIT, self.screen.painted()).await;
        let _ = kill_process(getpid(), rustix::process::Signal::INT);
        if timeout(LEAVE_LIMIT, self.inputs.recv()).await.is_err() {
            // Not even `tcsetattr` can fail in a way that anything could be done about.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.attributes);
            let _ = self.screen.take_from_editor();
            let _ = self.screen.show(&format!("{END_BRACKETED_PASTE}\n"));
        }
    }
}
