//! Text that somebody else may have chosen, such as a file's name, made safe to show.

/// The text with escapes for what would drive a terminal, end a line, or is no character of XML's.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}
