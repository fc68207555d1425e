//! Shows a server's bytes on a terminal so that they cannot drive it.
//!
//! Control characters (ECMA-48), characters that change the direction of text (Unicode's bidirectional
//! formatting), and bytes that are not UTF-8 are written as escapes; tabs and ends of lines stay.

use std::fmt::Write;

use crate::capitals::incomplete_tail;

/// Escapes a stream, whatever pieces it comes in.
#[derive(Debug, Default)]
pub(super) struct Escaper {
    /// What may be the beginning of something: a carriage return, or a UTF-8 sequence.
    held: Vec<u8>,
}

impl Escaper {
    /// Escapes the stream's next bytes.
    pub(super) fn escape(&mut self, bytes: &[u8]) -> String {
        let mut bytes = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
        let complete = match bytes.last() {
            Some(b'\r') => bytes.len() - 1,
            _ => bytes.len() - incomplete_tail(&bytes),
        };
        self.held = bytes.split_off(complete);
        escape(&bytes)
    }

    /// What is held back, when nothing follows it.
    pub(super) fn flush(&mut self) -> String {
        escape(&std::mem::take(&mut self.held))
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\r' if characters.peek() == Some(&'\n') => {}
                '\n' | '\t' => out.push(character),
                '\r' => out.push_str("\\r"),
                '\0'..='\x1f' | '\x7f' => push_byte(&mut out, character as u8),
                '\u{80}'..='\u{9f}' => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
                }
                _ if changes_direction(character) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
                }
                _ => out.push(character),
            }
        }
        for &byte in chunk.invalid() {
            push_byte(&mut out, byte);
        }
    }
    out
}

fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Unicode's `Bidi_Control` (UAX 9, table 4), and the separators of lines and paragraphs.
fn changes_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(pieces: &[&[u8]]) -> String {
        let mut escaper = Escaper::default();
        let mut out: String = pieces.iter().map(|piece| escaper.escape(piece)).collect();
        out.push_str(&escaper.flush());
        out
    }

    #[test]
    fn escapes_what_drives_a_terminal() {
        assert_eq!(escaped(&[b"a\tb\r\nc\n"]), "a\tb\nc\n");
        assert_eq!(escaped(&[b"\x1b[2J\x07\x00\x7f"]), "\\x1b[2J\\x07\\x00\\x7f");
        assert_eq!(escaped(&["\u{9b}31m\u{202e}".as_bytes()]), "\\u{9b}31m\\u{202e}");
        assert_eq!(escaped(&[b"50%\r100%\r"]), "50%\\r100%\\r");
        assert_eq!(escaped(&[b"\xff\x9b\xe2\x82"]), "\\xff\\x9b\\xe2\\x82");
        assert_eq!(escaped(&["grün €".as_bytes()]), "grün €");
    }

    proptest! {
        #[test]
        fn nothing_drives_the_terminal_and_every_split_shows_the_same(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(0xc2)], 0..40),
            at in any::<prop::sample::Index>(),
        ) {
            let whole = escaped(&[&bytes]);
            prop_assert!(!whole.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            let (head, tail) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(escaped(&[head, tail]), whole);
        }
    }
}
