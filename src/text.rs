//! Which text is safe to show, and where UTF-8 can be cut. Text that somebody else chose (a file name, a host name, what a peer said)
//! must not drive a terminal, break a line, or reorder what is around it.
//!
//! One rule, [`is_plain`], with a renderer for each place: [`printable`] here for messages, the transcript
//! writer for files that can be read back, and the prompt's escaper for a stream of bytes.

/// Whether a character can be shown as it is.
///
/// Not plain are control characters (ECMA-48), `Bidi_Control` (Unicode, UAX #9), the separators of lines and
/// paragraphs, the byte order mark, and the noncharacters that XML 1.0 does not allow.
#[must_use]
pub(crate) fn is_plain(character: char) -> bool {
    !(character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

/// How many bytes can follow the first of a UTF-8 sequence.
pub(crate) const MAX_CONTINUATION: usize = 3;

/// How many bytes at the end of `bytes`, 0 to 3, start a UTF-8 sequence whose rest is still to come.
#[must_use]
pub(crate) fn incomplete_tail(bytes: &[u8]) -> usize {
    // RFC 3629, section 3.
    let is_continuation = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let last = &bytes[bytes.len().saturating_sub(MAX_CONTINUATION)..];
    let Some(lead) = last.iter().rposition(|&byte| !is_continuation(byte)) else {
        return 0;
    };
    match std::str::from_utf8(&last[lead..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => last.len() - lead,
        _ => 0,
    }
}

/// The text in one line, with Rust's escapes for what is not plain.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_plain(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_drives_a_terminal_or_reorders_text() {
        for (text, expected) in [
            ("a b\u{e9}\u{20ac}", "a b\u{e9}\u{20ac}"),
            ("\x1b[2J\n\r\t\u{9b}", r"\u{1b}[2J\n\r\t\u{9b}"),
            ("a\u{202e}b\u{2066}\u{200f}\u{61c}", r"a\u{202e}b\u{2066}\u{200f}\u{61c}"),
            ("\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}", r"\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
    #[test]
    fn finds_an_incomplete_tail() {
        for (bytes, expected) in [
            (&b""[..], 0),
            (b"a", 0),
            (b"a\xc3", 1),
            (b"a\xc3\xa9", 0),
            (b"\xe2\x82", 2),
            (b"\xe2\x82\xac", 0),
            (b"\xf0\x9f\x98", 3),
            (b"\xf0\x9f\x98\x80", 0),
            (b"\xff", 0),
            (b"\xc0", 0),
            (b"\xed\xa0", 0),
            (b"\x80\x80\x80", 0),
        ] {
            assert_eq!(incomplete_tail(bytes), expected, "{bytes:x?}");
        }
    }
}
