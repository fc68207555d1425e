//! Colors: a dim prompt and green replies.

use std::borrow::Cow;

/// Select Graphic Rendition (ECMA-48, section 8.3.117).
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const REVERSE: &str = "\x1b[7m";
const RESET: &str = "\x1b[0m";

/// Whether colors are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) has_colors: bool,
}

impl Style {
    /// Text of the server. A line ending comes before the reset, where scripts expect it: right after the line.
    pub(super) fn server(self, text: &str) -> Cow<'_, str> {
        self.paint(GREEN, text)
    }

    /// The user's own prompt, unless it has colors already.
    pub(super) fn prompt(self, text: &str) -> Cow<'_, str> {
        if text.contains('\x1b') { Cow::Borrowed(text) } else { self.paint(DIM, text) }
    }

    fn paint<'t>(self, color: &str, text: &'t str) -> Cow<'t, str> {
        if self.has_colors && !text.is_empty() {
            Cow::Owned(format!("{color}{text}{RESET}"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Paints a character in reverse video, which is not a color.
pub(super) fn push_reversed(out: &mut String, character: char) {
    out.push_str(REVERSE);
    out.push(character);
    out.push_str(RESET);
}
