//! Turns UTF-8 text into Unicode capitals, byte for byte where it is not text.
//!
//! The mapping is Unicode's full, locale-independent upper-case mapping (`ß` gives `SS`), which is what
//! Python's `str.upper()` and Rust's `str::to_uppercase` do. It looks at one character at a time, so the
//! capitals of a text are the capitals of its parts, wherever it is cut between two characters. Bytes that
//! are not UTF-8 stay as they are.

/// How many bytes a UTF-8 sequence can have after its first.
const MAX_CONTINUATION: usize = 3;

/// Appends the capitals of `bytes` to `out`.
///
/// An incomplete sequence at the end of `bytes` counts as bytes that are not UTF-8: a caller that may get
/// the rest of it holds those bytes back ([`incomplete_tail`]).
pub fn append_capitals(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let ascii = ascii_prefix(rest);
        let (head, tail) = rest.split_at(ascii);
        let start = out.len();
        out.extend_from_slice(head);
        out[start..].make_ascii_uppercase();
        rest = &tail[append_non_ascii(tail, out)..];
    }
}

/// Appends the capitals of the characters at the start of `bytes` that are not ASCII, and says how many
/// bytes they were.
fn append_non_ascii(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let end = bytes.iter().position(u8::is_ascii).unwrap_or(bytes.len());
    let mut encoded = [0; 4];
    for chunk in bytes[..end].utf8_chunks() {
        for capital in chunk.valid().chars().flat_map(char::to_uppercase) {
            out.extend_from_slice(capital.encode_utf8(&mut encoded).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
    end
}

/// How many bytes at the start of `bytes` are ASCII.
fn ascii_prefix(bytes: &[u8]) -> usize {
    /// Large enough for `is_ascii` to run at full width, small enough to lose little where a block is mixed.
    const BLOCK: usize = 256;
    let whole: usize = bytes.chunks(BLOCK).take_while(|block| block.is_ascii()).map(<[u8]>::len).sum();
    let in_block = bytes[whole..].iter().position(|byte| !byte.is_ascii());
    in_block.map_or(bytes.len(), |more| whole + more)
}

/// How many bytes at the end of `bytes` are the beginning of a UTF-8 sequence whose rest is still to come:
/// 0 to 3.
#[must_use]
pub fn incomplete_tail(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(MAX_CONTINUATION)..];
    let Some(lead) = last.iter().rposition(|&byte| !is_continuation(byte)) else {
        return 0;
    };
    match std::str::from_utf8(&last[lead..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => last.len() - lead,
        _ => 0,
    }
}

/// How many bytes at the start of `bytes` can only be the rest of a sequence that began before: 0 to 3.
#[must_use]
pub fn continuation_head(bytes: &[u8]) -> usize {
    bytes.iter().take(MAX_CONTINUATION).take_while(|&&byte| is_continuation(byte)).count()
}

/// Whether `byte` is one that follows the first of a sequence (RFC 3629, section 3).
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn capitals(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append_capitals(bytes, &mut out);
        out
    }

    /// Obviously right, and slow: what is text goes through the standard library, all else stays.
    fn model(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in bytes.utf8_chunks() {
            out.extend_from_slice(chunk.valid().to_uppercase().as_bytes());
            out.extend_from_slice(chunk.invalid());
        }
        out
    }

    #[test]
    fn maps_what_users_know() {
        for (text, expected) in [
            ("hello, World 1\r\n", "HELLO, WORLD 1\r\n"),
            ("straße, \u{149}, \u{fb03}", "STRASSE, \u{2bc}N, FFI"),
            ("\u{390}", "\u{399}\u{308}\u{301}"),
            ("ελληνικά σς", "ΕΛΛΗΝΙΚΆ ΣΣ"),
            ("\u{131} i \u{130} \u{1c6}", "I I \u{130} \u{1c4}"),
        ] {
            assert_eq!(String::from_utf8(capitals(text.as_bytes())).unwrap(), expected);
        }
    }

    #[test]
    fn agrees_with_the_standard_library_on_every_code_point() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(
                capitals(text.as_bytes()),
                text.to_uppercase().as_bytes(),
                "{:x}",
                u32::from(character)
            );
        }
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        assert_eq!(capitals(b"a\xffb\xc3(c\xed\xa0\x80d\xf5e"), b"A\xffB\xc3(C\xed\xa0\x80D\xf5E");
        assert_eq!(capitals(b"\xe2\x82"), b"\xe2\x82");
    }

    #[test]
    fn knows_an_incomplete_tail() {
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

    /// Text in several scripts with bytes thrown in that are not UTF-8.
    fn mixed_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[ -~]{0,300}".prop_map(String::into_bytes),
            "\\PC{0,20}".prop_map(String::into_bytes),
            "[à-ÿß-ʯΐ-ϋа-џﬀ-ﬆ]{0,40}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(bytes in mixed_bytes()) {
            prop_assert_eq!(capitals(&bytes), model(&bytes));
        }

        #[test]
        fn a_cut_between_characters_changes_nothing(bytes in mixed_bytes(), at in any::<prop::sample::Index>()) {
            let mut cut = at.index(bytes.len() + 1);
            cut -= incomplete_tail(&bytes[..cut]);
            let pieces = [capitals(&bytes[..cut]), capitals(&bytes[cut..])].concat();
            prop_assert_eq!(pieces, model(&bytes));
        }

        #[test]
        fn what_follows_the_continuation_head_stands_alone(bytes in mixed_bytes(), at in any::<prop::sample::Index>()) {
            let cut = at.index(bytes.len() + 1);
            let cut = cut + continuation_head(&bytes[cut..]);
            let pieces = [capitals(&bytes[..cut]), capitals(&bytes[cut..])].concat();
            prop_assert_eq!(pieces, model(&bytes));
        }
    }
}
