//! What the line editor paints: the text that waits for it above the prompt, the prompt, and the line, with
//! control characters in reverse video and secrets masked.

use std::borrow::Cow;
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::line_buffer::LineBuffer;
use rustyline::validate::Validator;
use rustyline::{Changeset, Context, Helper};

use super::layout::width;
use super::line::{Edit, Line};
use super::screen::Screen;
use super::stand_in::{can_be_edited, conceal, glyph, real};
use super::style::{Style, push_reversed};

pub(super) type LineEditor = rustyline::Editor<Painter, FileHistory>;

/// The line editor's helper.
pub(super) struct Painter {
    pub(super) screen: Arc<Screen>,
    pub(super) line: Arc<Line>,
    pub(super) style: Style,
}

impl Highlighter for Painter {
    fn highlight<'l>(&self, line: &'l str, cursor: usize) -> Cow<'l, str> {
        self.line.see(line, cursor);
        if self.line.is_secret() {
            Cow::Owned("*".repeat(width(line)))
        } else if has_marks(line) {
            Cow::Owned(marked(line))
        } else {
            Cow::Borrowed(line)
        }
    }

    /// `is_default` is false while the editor shows a prompt of its own, as it does in a search.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, text: &'p str, is_default: bool) -> Cow<'b, str> {
        let above = self.screen.text_above_prompt();
        let prompt = match is_default {
            true if self.line.prompt().is_servers => self.style.server(text),
            true => self.style.prompt(text),
            false => Cow::Borrowed(text),
        };
        if above.is_empty() { prompt } else { Cow::Owned(above + &prompt) }
    }

    /// Whether the line must be painted again, not only a character that was typed at its end. Called after every
    /// change of the line.
    fn highlight_char(&self, line: &str, cursor: usize, _: CmdKind) -> bool {
        self.line.see(line, cursor);
        self.line.is_secret() || has_marks(line)
    }
}

/// Makes the changes that no command of the editor makes: completing is one that can.
impl Completer for Painter {
    type Candidate = String;

    fn complete(&self, _: &str, _: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        // Its text does not matter, only that there is one.
        let candidates = if self.line.has_edit() { vec![" ".to_owned()] } else { Vec::new() };
        Ok((0, candidates))
    }

    fn update(&self, line: &mut LineBuffer, _: usize, _: &str, changes: &mut Changeset) {
        match self.line.take_edit() {
            Some(Edit::Insert(text)) => {
                let (before, after) = line.as_str().split_at(line.pos());
                let before = conceal(before).into_owned() + &text;
                let edited = before.clone() + &conceal(after);
                line.update(&edited, before.len(), changes);
            }
            Some(Edit::Clear) => line.update("", 0, changes),
            None => {}
        }
    }
}

impl Helper for Painter {}
impl Hinter for Painter {
    type Hint = String;
}
impl Validator for Painter {}

/// Whether a line has characters that are not painted as they are.
fn has_marks(line: &str) -> bool {
    line.chars().any(|character| real(character).is_some() || !can_be_edited(character))
}

fn marked(line: &str) -> String {
    let mut out = String::with_capacity(line.len() * 2);
    for character in line.chars() {
        match real(character) {
            Some(real) => push_reversed(&mut out, glyph(real)),
            // Typed after Ctrl-V; the next key puts a stand-in in its place.
            None if !can_be_edited(character) => push_reversed(&mut out, glyph(character)),
            None => out.push(character),
        }
    }
    out
}
