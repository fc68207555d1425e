//! What the keys do at the prompt, apart from those that the line editor has itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};

use super::line::{Edit, Line};
use super::screen::Screen;
use super::stand_in::{can_be_edited, of, real};
use super::suspend::Suspend;

/// Handles every key before the line editor does. Those that users must know are in the help and the man page.
pub(super) struct Keys {
    pub(super) line: Arc<Line>,
    pub(super) screen: Arc<Screen>,
    pub(super) suspend: Suspend,
    pub(super) paste: Arc<Paste>,
}

/// What has arrived of a pasted block. The editor's own reading would let control characters in.
#[derive(Debug, Default)]
pub(super) struct Paste(Mutex<Option<String>>);

impl ConditionalEventHandler for Keys {
    /// `None` is what the line editor does by itself.
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        let &key = event.get(0)?;
        self.paste.take(key).or_else(|| self.press(key, context.line()))
    }
}

const CTRL: Modifiers = Modifiers::CTRL;
const ALT: Modifiers = Modifiers::ALT;
const NONE: Modifiers = Modifiers::NONE;

impl Paste {
    /// Forgets a block whose end will not arrive.
    pub(super) fn give_up(&self) {
        *self.lock() = None;
    }

    /// Takes a key that belongs to a block. At the end of the block, inserts it.
    fn take(&self, KeyEvent(code, modifiers): KeyEvent) -> Option<Cmd> {
        let mut pasted = self.lock();
        match code {
            KeyCode::BracketedPasteStart => *pasted = Some(String::new()),
            KeyCode::BracketedPasteEnd => {
                let text = pasted.take().unwrap_or_default();
                // An insertion of nothing is none.
                return Some(Cmd::Insert(1, text.replace("\r\n", "\n").replace('\r', "\n")));
            }
            _ => pasted.as_mut()?.extend(pasted_character(code, modifiers)),
        }
        Some(Cmd::Noop)
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn press(&self, KeyEvent(code, modifiers): KeyEvent, line: &str) -> Option<Cmd> {
        match (code, modifiers) {
            (KeyCode::Char('C'), CTRL) if line.is_empty() => None,
            (KeyCode::Char('C'), CTRL) => Some(self.clear()),
            (KeyCode::Char('L'), CTRL) => {
                self.screen.set_cleared();
                Some(Cmd::ClearScreen)
            }
            (KeyCode::Char('Z'), CTRL) => {
                self.suspend.suspend();
                Some(Cmd::Repaint)
            }
            // In the session's mode, where no key suspends, the editor takes NUL for the one that does.
            (KeyCode::Char('@'), CTRL) => Some(Cmd::Noop),
            // There is nothing to complete, and line protocols use tabs.
            (KeyCode::Tab, NONE) => Some(self.insert(of('\t'), line)),
            (KeyCode::Char(character), NONE) if real(character).is_some() => Some(Cmd::Noop),
            (KeyCode::Char(character), NONE) if !can_be_edited(character) => {
                Some(self.insert(of(character), line))
            }
            (KeyCode::Char(character), NONE) if !line.chars().all(can_be_edited) => {
                Some(self.insert(character, line))
            }
            // What is killed can be yanked at the next prompt, and what is searched for is shown.
            (KeyCode::Char('K' | 'U' | 'W'), CTRL) | (KeyCode::Char('D' | 'd') | KeyCode::Backspace, ALT)
                if self.line.is_secret() =>
            {
                Some(self.clear())
            }
            (KeyCode::Char('R' | 'X'), CTRL) if self.line.is_secret() => Some(Cmd::Noop),
            _ => None,
        }
    }

    /// Inserts a character, and replaces those that Ctrl-V has let in.
    fn insert(&self, character: char, line: &str) -> Cmd {
        let text = character.to_string();
        if line.chars().all(can_be_edited) {
            // SelfInsert would be taken for a repetition of what was typed before.
            return Cmd::Insert(1, text);
        }
        self.line.edit(Edit::Insert(text));
        Cmd::Complete
    }

    fn clear(&self) -> Cmd {
        if !self.line.is_secret() {
            return Cmd::Kill(Movement::WholeBuffer);
        }
        self.line.edit(Edit::Clear);
        Cmd::Complete
    }
}

/// A character of a pasted block, as it is edited. Escape sequences are dropped, and some characters cannot be told
/// from others any more.
fn pasted_character(code: KeyCode, modifiers: Modifiers) -> Option<char> {
    match (code, modifiers) {
        (KeyCode::Char(character), NONE) if real(character).is_some() => None,
        (KeyCode::Char(character), NONE) if can_be_edited(character) => Some(character),
        (KeyCode::Char(character), NONE) => Some(of(character)),
        (KeyCode::Char('J'), CTRL) => Some('\n'),
        (KeyCode::Char(character @ '@'..='_'), CTRL) => Some(of(char::from(character as u8 & 0x1f))),
        (KeyCode::Enter, NONE) => Some('\r'),
        (KeyCode::Tab, NONE) => Some(of('\t')),
        (KeyCode::Backspace, NONE) => Some(of('\x08')),
        (KeyCode::Esc, Modifiers::SHIFT) => Some(of('\u{9b}')),
        _ => None,
    }
}
