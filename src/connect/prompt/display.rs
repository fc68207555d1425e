//! What the user sees and edits: the server's text, and below it the prompt and the line being typed.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::Settings;
use super::editor::{Action, Editor};
use super::escape::Escaper;
use super::line::{Prompt, Typed};
use super::screen::Screen;
use super::style::Style;
use super::terminal::Terminal;
use super::unterminated::Unterminated;
use crate::connect::reply::QUIET_GAP;
use crate::deadline::at;
use crate::messages;

/// What the user asks for.
#[derive(Debug)]
pub(super) enum UserInput {
    /// To send a line, or several that were pasted.
    Lines(Vec<String>),
    /// To end the conversation.
    End,
    /// To quit.
    Quit,
}

/// The terminal during a conversation.
pub(super) struct Display<'a> {
    terminal: &'a mut Terminal,
    screen: Arc<Screen>,
    editor: Editor,
    own_prompt: &'a str,
    is_dumb: bool,
    /// Whether the server's unterminated line may be the prompt.
    takes_prompts: bool,
    escaper: Escaper,
    /// The start of a line from the server. Without a prompt, it is on the screen; with one, it is held back until it
    /// is complete or nothing has followed for a while, unless it is the prompt.
    unterminated: Unterminated,
    last_received: Instant,
    prompt: Prompt,
    state: PromptState,
}

/// The prompt on the screen.
///
/// ```text
///            open             the server sends a prompt           painted
/// Absent ────────────► Current ────────────────────────► Stale ───────────► Recalled
///   ▲                   │   ▲                              │                    │
///   │                   │   └────────── the line is back ──│────────────────────┤
///   └───────────────────┴──── Enter, Ctrl-D, Ctrl-C ───────┴────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PromptState {
    Absent,
    Current,
    /// Another one is to be shown. The editor cannot change its prompt, only give the line back.
    Stale,
    /// The editor was asked for the line.
    Recalled,
}

impl<'a> Display<'a> {
    /// `takes_prompts` says whether the server's unterminated line may be the prompt.
    pub(super) fn start(
        settings: &'a Settings,
        terminal: &'a mut Terminal,
        takes_prompts: bool,
    ) -> Result<Self> {
        let attributes = terminal.original().context("could not read the terminal's attributes")?.clone();
        let style = Style { has_colors: settings.has_colors };
        let screen = Arc::new(Screen::new(style));
        Ok(Self {
            editor: Editor::start(settings, attributes, &screen, style)
                .context("could not start the line editor")?,
            terminal,
            screen,
            own_prompt: &settings.text,
            is_dumb: settings.is_dumb,
            takes_prompts,
            escaper: Escaper::default(),
            unterminated: Unterminated::default(),
            last_received: Instant::now(),
            prompt: Prompt::default(),
            state: PromptState::Absent,
        })
    }

    /// The screen, to wait for room on it.
    pub(super) fn screen(&self) -> &Arc<Screen> {
        &self.screen
    }

    pub(super) fn is_dumb(&self) -> bool {
        self.is_dumb
    }

    pub(super) fn last_received(&self) -> Instant {
        self.last_received
    }

    /// Waits for what the user asks for; forever without a prompt. Meanwhile shows what was held back. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<UserInput> {
        loop {
            let is_stale = self.state == PromptState::Stale;
            let unterminated_is_due = self.unterminated_is_due();
            tokio::select! {
                biased;
                action = self.editor.next() => match action {
                    Action::Lines(lines) => return self.end_line().map(|()| UserInput::Lines(lines)).context(TERMINAL),
                    Action::End => return self.end_line().map(|()| UserInput::End).context(TERMINAL),
                    Action::Interrupt => return self.end_line().map(|()| UserInput::Quit).context(TERMINAL),
                    Action::Recalled(typed) => self.reopen(typed).context(TERMINAL)?,
                    Action::NotText => self.start_line_again().context(TERMINAL)?,
                    Action::Failed(error) => return Err(error).context("could not read the terminal"),
                },
                () = self.screen.painted(), if is_stale => {
                    self.state = PromptState::Recalled;
                    self.editor.recall();
                }
                () = at(unterminated_is_due) => self.show_unterminated().context(TERMINAL)?,
            }
        }
    }

    /// Whether a SIGINT that was received may be one of the display's own.
    pub(super) fn may_have_interrupted(&self) -> bool {
        self.editor.may_have_interrupted()
    }

    /// Shows the server's next bytes.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        self.try_to_receive(bytes).context(TERMINAL)
    }

    fn try_to_receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last_received = Instant::now();
        let text = self.escaper.escape(bytes);
        if text.is_empty() {
            return Ok(());
        }
        let lines = self.unterminated.push(&text);
        match self.state {
            PromptState::Absent => {
                self.unterminated.truncate();
                return self.editor.show(&text);
            }
            // The line of the prompt goes on.
            PromptState::Current if self.prompt.is_servers && !self.is_dumb => {
                self.state = PromptState::Stale;
            }
            PromptState::Current | PromptState::Stale | PromptState::Recalled => {}
        }
        self.editor.show(&lines)?;
        if self.unterminated.is_too_long() { self.show_unterminated() } else { Ok(()) }
    }

    /// Whether the server's unterminated line is to be the prompt.
    pub(super) fn has_servers_prompt(&self) -> bool {
        self.takes_prompts && self.unterminated.is_prompt() && Screen::fits(self.unterminated.text())
    }

    /// Shows the prompt, the server's or the user's own, after what the server has sent.
    pub(super) fn open(&mut self) -> Result<()> {
        let is_servers = self.has_servers_prompt();
        let is_secret = self.unterminated.asks_for_secret();
        self.choose_prompt(is_servers, is_secret);
        if !is_servers {
            // It is on the screen, on a line that ends now.
            self.unterminated.clear();
        }
        self.prompt_for(Typed::default()).context(TERMINAL)
    }

    /// Shows the prompt for a half-typed line.
    fn reopen(&mut self, typed: Typed) -> io::Result<()> {
        let is_servers = self.has_servers_prompt();
        let is_request = self.unterminated.asks_for_secret();
        // What was typed in secret stays so.
        let is_secret = is_request || self.prompt.is_secret && !typed.is_empty();
        self.choose_prompt(is_servers, is_secret);
        if is_request && !is_servers {
            self.show_unterminated_line()?;
        }
        self.prompt_for(typed)
    }

    /// Shows the prompt again after a line that was not UTF-8.
    fn start_line_again(&mut self) -> io::Result<()> {
        messages::report("discarded a line that is not UTF-8");
        // A dumb terminal must write the server's prompt again.
        let is_servers = self.prompt.is_servers && !self.is_dumb;
        let is_stale = matches!(self.state, PromptState::Stale | PromptState::Recalled);
        self.editor.prompt(Prompt { is_servers, ..self.prompt.clone() }, Typed::default())?;
        self.state = if is_stale { PromptState::Stale } else { PromptState::Current };
        Ok(())
    }

    fn choose_prompt(&mut self, is_servers: bool, is_secret: bool) {
        let text = if is_servers { self.unterminated.text() } else { self.own_prompt };
        self.prompt = Prompt { text: text.to_owned(), is_servers, is_secret };
        self.unterminated.set_in_prompt(is_servers);
    }

    fn prompt_for(&mut self, typed: Typed) -> io::Result<()> {
        self.state = PromptState::Current;
        self.terminal.set_echo(!self.prompt.is_secret);
        self.editor.prompt(self.prompt.clone(), typed)
    }

    /// After the user's line, what was held back can be shown.
    fn end_line(&mut self) -> io::Result<()> {
        self.state = PromptState::Absent;
        self.terminal.set_echo(true);
        self.unterminated.clear_prompt();
        self.editor.show(self.unterminated.text())
    }

    /// When what is held back is shown.
    fn unterminated_is_due(&self) -> Option<Instant> {
        let is_held = self.state == PromptState::Current && !self.unterminated.rest().is_empty();
        is_held.then(|| self.last_received + QUIET_GAP)
    }

    /// Shows what is held back: as the prompt, or as a line of its own.
    fn show_unterminated(&mut self) -> io::Result<()> {
        let is_servers = self.has_servers_prompt();
        let is_request = self.unterminated.asks_for_secret();
        if !is_servers && !is_request {
            return self.show_unterminated_line();
        }
        if !self.is_dumb {
            self.state = PromptState::Stale;
            return Ok(());
        }
        self.choose_prompt(is_servers, is_request || self.prompt.is_secret);
        if is_servers {
            self.editor.show(self.unterminated.text())?;
        } else {
            self.show_unterminated_line()?;
        }
        self.terminal.set_echo(!self.prompt.is_secret);
        self.editor.replace_prompt(self.prompt.clone())
    }

    fn show_unterminated_line(&mut self) -> io::Result<()> {
        let line = format!("{}\n", self.unterminated.text());
        self.unterminated.clear();
        self.editor.show(&line)
    }

    /// Writes a message of the program's own, on a line of its own. There must be no prompt.
    pub(super) fn report(&self, message: &str) -> Result<()> {
        self.screen.end_line().context(TERMINAL)?;
        messages::report(message);
        Ok(())
    }

    /// Leaves unread input for the shell.
    pub(super) fn keep_unread(&mut self) {
        self.terminal.keep_unread();
    }

    /// Takes the terminal back from the user, and shows what was held back: nothing follows it.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.editor.stop().await;
        let held = match self.state {
            PromptState::Absent => "",
            PromptState::Current | PromptState::Stale | PromptState::Recalled => self.unterminated.rest(),
        };
        let rest = held.to_owned() + &self.escaper.flush();
        self.editor.show(&rest).and_then(|()| self.screen.end_line()).context(TERMINAL)
    }
}

const TERMINAL: &str = "could not write to the terminal";
