//! The line editor as the main flow sees it: it asks for a line, and gets it or the reason why there is none. It
//! can take the terminal back at any moment.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::Termios;
use tokio::sync::mpsc as async_mpsc;
use tokio::time::{Instant, timeout};

use super::Settings;
use super::history::History;
use super::line::{Line, Prompt, Typed};
use super::screen::{Screen, write};
pub(super) use super::session::Action;
use super::session::{Request, Session};
use super::style::Style;
use super::terminal::END_BRACKETED_PASTE;
use crate::blocking;

/// How long the editor may take to end when it is interrupted. It does not notice while it searches the history.
const LEAVE_LIMIT: Duration = Duration::from_millis(100);

/// The line editor.
///
/// ```text
///           prompt                  recall
/// Idle ───────────────► Editing ─────────────► Recalling
///  ▲                      │                        │
///  └──────── next ────────┴────────────────────────┘
/// ```
#[derive(Debug)]
pub(super) struct Editor {
    screen: Arc<Screen>,
    line: Arc<Line>,
    requests: mpsc::Sender<Request>,
    actions: async_mpsc::UnboundedReceiver<Action>,
    /// Wakes the editor; `None` on a dumb terminal.
    waker: Option<mpsc::Sender<()>>,
    is_editing: bool,
    /// When the editor was last interrupted.
    recalled: Option<Instant>,
}

impl Editor {
    /// Starts the editor's thread.
    pub(super) fn start(
        settings: &Settings,
        attributes: Termios,
        screen: &Arc<Screen>,
        style: Style,
    ) -> io::Result<Self> {
        let (requests, requested) = mpsc::channel();
        let (sender, actions) = async_mpsc::unbounded_channel();
        let (waker_sender, waker) = mpsc::channel();
        let line = Arc::<Line>::default();
        let session = Session {
            screen: Arc::clone(screen),
            line: Arc::clone(&line),
            history: History { path: settings.history.clone() },
            style,
            attributes,
            paste: Arc::default(),
            is_dumb: settings.is_dumb,
        };
        blocking::spawn(move || session.run(&requested, &sender, &waker_sender))?;
        Ok(Self {
            screen: Arc::clone(screen),
            line,
            requests,
            actions,
            // If the thread has exited, `next` says why.
            waker: if settings.is_dumb { None } else { waker.recv().ok() },
            is_editing: false,
            recalled: None,
        })
    }

    /// Shows a prompt and lets the user type.
    pub(super) fn prompt(&mut self, prompt: Prompt, typed: Typed) -> io::Result<()> {
        if self.waker.is_some() {
            self.screen.give_to_editor(prompt.is_servers)?;
        } else {
            self.screen.give_to_typist(&prompt.text, prompt.is_servers)?;
        }
        self.is_editing = true;
        // If the thread has exited, `next` says so.
        let _ = self.requests.send(Request { prompt, typed });
        Ok(())
    }

    /// Shows another prompt on a dumb terminal: it is on the screen already.
    pub(super) fn replace_prompt(&mut self, prompt: Prompt) -> io::Result<()> {
        self.screen.give_to_typist(&prompt.text, true)?;
        self.line.set_prompt(prompt);
        Ok(())
    }

    /// Waits for what the user does; forever without a prompt. Cancel-safe.
    pub(super) async fn next(&mut self) -> Action {
        if !self.is_editing {
            return std::future::pending().await;
        }
        let action = self.actions.recv().await;
        self.is_editing = false;
        action.unwrap_or(Action::Failed(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Asks for the half-typed line back, to give it back after another prompt. The answer is [`Action::Recalled`],
    /// or what the user did meanwhile.
    ///
    /// The editor must have painted its prompt. It then looks for signals only when it has read all that it has
    /// taken from the terminal, so that nothing is lost.
    pub(super) fn recall(&mut self) {
        self.line.recall();
        self.recalled = Some(Instant::now());
        interrupt();
    }

    /// Whether a SIGINT that the program has received may be the one of a recall, which came too late for the
    /// editor.
    pub(super) fn may_have_interrupted(&self) -> bool {
        self.recalled.is_some_and(|recalled| recalled.elapsed() < LEAVE_LIMIT)
    }

    /// Shows text of the server: above the line being typed if there is one, and then it must consist of complete
    /// lines.
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

    /// Takes the terminal back from a line that is being typed.
    pub(super) async fn stop(&mut self) {
        if !self.is_editing {
            return;
        }
        self.is_editing = false;
        if self.waker.is_none() {
            let _ = Screen::end_typing();
            let _ = self.screen.take();
            return;
        }
        // Before the prompt is painted, the terminal may not be in raw mode yet, and would be set to it later.
        let _ = timeout(LEAVE_LIMIT, self.screen.painted()).await;
        interrupt();
        if timeout(LEAVE_LIMIT, self.actions.recv()).await.is_err() {
            // The terminal's mode is restored in any case.
            let _ = write(&format!("{END_BRACKETED_PASTE}\n"));
            let _ = self.screen.take();
        }
    }
}

/// SIGINT is what the editor can be interrupted with. While it edits, it has replaced the program's own handler.
fn interrupt() {
    let _ = kill_process(getpid(), Signal::INT);
}
