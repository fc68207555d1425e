//! Shows a server's bytes on a terminal so that they cannot drive it: what is not plain, and bytes that are not
//! UTF-8, are escaped; tabs and line endings stay.

use std::fmt::Write;

use crate::text::{incomplete_tail, is_plain};

/// Escapes a stream, independent of how it is cut into pieces.
#[derive(Debug, Default)]
pub(super) struct Escaper {
    /// A carriage return or the start of a UTF-8 sequence, which need what follows.
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

    /// What is held back: nothing follows it.
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
                _ if is_plain(character) => out.push(character),
                _ => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
                }
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
