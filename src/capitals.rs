//! Turns UTF-8 text into Unicode capitals, byte for byte where it is not text.
//!
//! The mapping is Unicode's full, locale-independent upper-case mapping (`ß` gives `SS`), which is what
//! Python's `str.upper()` and Rust's `str::to_uppercase` do. It looks at one character at a time, so the
//! capitals of a text are the capitals of its parts, wherever it is cut between two characters. Bytes that
//! are not UTF-8 stay as they are.
//!
//! What is fast is plain: most characters are in the blocks of ASCII, Latin, Greek and Cyrillic, where the
//! capital of a sequence of one or two bytes is as long, and found by comparing each byte with its two
//! neighbours. Written without branches, the compiler makes vector instructions of it. All other characters
//! that have capitals are special (`is_special`), and go through the standard library one at a time.

#![expect(
    clippy::inline_always,
    clippy::needless_bitwise_bool,
    reason = "a call or a branch for each byte would keep the compiler from making vector instructions"
)]

/// How many bytes a UTF-8 sequence can have after its first.
const MAX_CONTINUATION: usize = 3;

/// How many bytes are looked at for being ASCII at once: enough for full speed, few enough to lose little
/// where there are others among them.
const ASCII_BLOCK: usize = 256;

/// How many other bytes are mapped at once: a few vectors.
const BLOCK: usize = 64;

/// How much is copied before it is made capitals: what follows a capital of another length is copied twice.
const PIECE: usize = 1024;

/// Appends the capitals of `bytes` to `out`.
///
/// An incomplete sequence at the end of `bytes` counts as bytes that are not UTF-8: a caller that may get
/// the rest of it holds those bytes back ([`incomplete_tail`]).
pub fn append_capitals(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut piece = &rest[..rest.len().min(PIECE)];
        if piece.len() < rest.len() {
            piece = &piece[..piece.len() - incomplete_tail(piece)];
        }
        let start = out.len();
        out.extend_from_slice(piece);
        let done = make_capitals(&mut out[start..]);
        out.truncate(start + done);
        rest = &rest[done..];
        if done < piece.len() {
            rest = append_special(rest, out);
        }
    }
}

/// Makes capitals of `bytes` in place, up to the first character whose capital has another length, and says
/// how many bytes that is. For an incomplete sequence at the end, see [`append_capitals`].
#[must_use]
pub fn make_capitals(bytes: &mut [u8]) -> usize {
    let mut at = 0;
    // The byte before, as it was: its capital may be another.
    let mut previous = 0;
    while at < bytes.len() {
        let ascii: usize =
            bytes[at..].chunks(ASCII_BLOCK).take_while(|block| block.is_ascii()).map(<[u8]>::len).sum();
        if ascii > 0 {
            bytes[at..at + ascii].make_ascii_uppercase();
            at += ascii;
            previous = 0;
            continue;
        }
        let block = Block::of(previous, &bytes[at..]);
        let mapped = block.length;
        previous = if mapped > 0 { bytes[at + mapped - 1] } else { previous };
        bytes[at..at + mapped].copy_from_slice(&block.capitals[..mapped]);
        at += mapped;
        if block.is_before_special {
            let Some(length) = make_special(&mut bytes[at..]) else {
                return at;
            };
            at += length;
            previous = 0;
        }
    }
    bytes.len()
}

/// The capitals of the bytes up to the next special character.
struct Block {
    capitals: [u8; BLOCK],
    length: usize,
    is_before_special: bool,
}

impl Block {
    #[inline(always)]
    fn of(previous: u8, bytes: &[u8]) -> Self {
        let length = bytes.len().min(BLOCK);
        // The bytes between their neighbours; where there are none, zeros are as good.
        let mut padded = [0; BLOCK + 2];
        padded[0] = previous;
        match bytes.first_chunk::<{ BLOCK + 1 }>() {
            Some(bytes) => padded[1..].copy_from_slice(bytes),
            None => padded[1..=bytes.len()].copy_from_slice(bytes),
        }
        let mut capitals = [0; BLOCK];
        let mut special = [0; BLOCK];
        find_capitals(&padded, &mut capitals);
        find_special(&padded, &mut special);
        let special = memchr::memchr(1, &special[..length]);
        Self { capitals, length: special.unwrap_or(length), is_before_special: special.is_some() }
    }
}

// A loop each, over what it is given: as a part of a larger function, the compiler makes no vectors of it.

#[inline(never)]
fn find_capitals(padded: &[u8; BLOCK + 2], capitals: &mut [u8; BLOCK]) {
    for index in 0..BLOCK {
        let byte = padded[index + 1];
        capitals[index] = byte.wrapping_add(change(padded[index], byte, padded[index + 2]));
    }
}

#[inline(never)]
fn find_special(padded: &[u8; BLOCK + 2], special: &mut [u8; BLOCK]) {
    for index in 0..BLOCK {
        special[index] = u8::from(is_special(padded[index + 1], padded[index + 2]));
    }
}

/// Makes capitals of the special characters at the start of `bytes` in place, and says how many bytes they
/// are; nothing, and nothing done, where the first one's capital has another length.
fn make_special(bytes: &mut [u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = match first_character(&bytes[at..]) {
            // Not a character after all: the byte stays as it is.
            None => 1,
            Some(character) => {
                let mut capitals = [0; 12];
                let capitals = encode_capitals(character, &mut capitals);
                if capitals.len() != character.len_utf8() {
                    return (at > 0).then_some(at);
                }
                bytes[at..at + capitals.len()].copy_from_slice(capitals);
                capitals.len()
            }
        };
        at += length;
        // Where scripts are special, their characters come in a row.
        if !begins_special(&bytes[at..]) {
            return Some(at);
        }
    }
}

/// Appends the capitals of the special characters at the start of `bytes`, and gives what follows them.
fn append_special<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = bytes;
    loop {
        let length = match first_character(rest) {
            None => {
                out.push(rest[0]);
                1
            }
            Some(character) => {
                out.extend_from_slice(encode_capitals(character, &mut [0; 12]));
                character.len_utf8()
            }
        };
        rest = &rest[length..];
        if !begins_special(rest) {
            return rest;
        }
    }
}

/// The capitals of a character, in UTF-8: at the most three, of four bytes each.
fn encode_capitals(character: char, buffer: &mut [u8; 12]) -> &[u8] {
    let mut length = 0;
    for capital in character.to_uppercase() {
        length += capital.encode_utf8(&mut buffer[length..]).len();
    }
    &buffer[..length]
}

/// The character at the start of `bytes`, where there is one.
fn first_character(bytes: &[u8]) -> Option<char> {
    let sequence = &bytes[..bytes.len().min(1 + MAX_CONTINUATION)];
    sequence.utf8_chunks().next()?.valid().chars().next()
}

fn begins_special(bytes: &[u8]) -> bool {
    matches!(*bytes, [byte, next, ..] if is_special(byte, next))
}

/// What must be added to a byte to make it a capital's, for every byte from which no special character
/// begins. It depends on the bytes beside it alone, because a first byte of two (0xC2 to 0xDF) and a
/// continuation byte are a character wherever they stand (RFC 3629, section 3).
#[inline(always)]
fn change(previous: u8, byte: u8, next: u8) -> u8 {
    let is = |condition: bool, change: i8| if condition { change.cast_unsigned() } else { 0 };
    let within = |first: u8, last: u8| byte.wrapping_sub(first) <= last - first;
    let is_odd = byte & 1 == 1;

    // ASCII.
    is(within(b'a', b'z'), -0x20)
        // U+00E0 to U+00FE, but for the division sign.
        | is((previous == 0xc3) & within(0xa0, 0xbe) & (byte != 0xb7), -0x20)
        // ÿ, whose first byte changes, too.
        | is((previous == 0xc3) & (byte == 0xbf), -7)
        | is((byte == 0xc3) & (next == 0xbf), 2)
        // Latin Extended-A: capitals and small letters take turns.
        | is((previous == 0xc4) & is_odd & (within(0x80, 0xaf) | within(0xb2, 0xb7)), -1)
        | is((previous == 0xc4) & !is_odd & within(0xb9, 0xbe), -1)
        | is((previous == 0xc5) & is_odd & within(0x8a, 0xb7), -1)
        | is((previous == 0xc5) & !is_odd & (within(0x81, 0x88) | within(0xb9, 0xbe)), -1)
        // Greek: U+03AC to U+03AF and U+03B1 to U+03BF, then U+03C0 to U+03CE, whose first byte changes, too.
        | is((previous == 0xce) & (byte == 0xac), -0x26)
        | is((previous == 0xce) & within(0xad, 0xaf), -0x25)
        | is((previous == 0xce) & within(0xb1, 0xbf), -0x20)
        | is((previous == 0xcf) & within(0x80, 0x8b) & (byte != 0x82), 0x20)
        | is((previous == 0xcf) & (byte == 0x82), 0x21)
        | is((previous == 0xcf) & within(0x8d, 0x8e), 1)
        | is((byte == 0xcf) & is_continuation(next), -1)
        // Cyrillic: U+0430 to U+043F, then U+0440 to U+045F, whose first byte changes, too.
        | is((previous == 0xd0) & within(0xb0, 0xbf), -0x20)
        | is((previous == 0xd1) & within(0x80, 0x8f), 0x20)
        | is((previous == 0xd1) & within(0x90, 0x9f), -0x10)
        | is((byte == 0xd1) & is_continuation(next), -1)
}

/// Whether a byte and the one after it may begin a character whose capital [`change`] does not know. Some of
/// those have no capital after all.
#[inline(always)]
fn is_special(byte: u8, next: u8) -> bool {
    let within = |first: u8, last: u8| byte.wrapping_sub(first) <= last - first;
    let is_special =
        // µ; ß; ı; U+0140, U+0149, ſ: their capitals lie in another block, or are more than one.
        (byte == 0xc2) & (next == 0xb5)
        | (byte == 0xc3) & (next == 0x9f)
        | (byte == 0xc4) & (next == 0xb1)
        | (byte == 0xc5) & ((next == 0x80) | (next == 0x89) | (next == 0xbf))
        // Latin Extended-B to the modifier letters; U+0340 to the first half of Greek.
        | within(0xc6, 0xcb)
        | (byte == 0xcd)
        | (byte == 0xce) & ((next == 0x90) | (next == 0xb0))
        | (byte == 0xcf) & (next > 0x8e)
        // The rest of Cyrillic, and Armenian.
        | (byte == 0xd1) & (next > 0x9f)
        | within(0xd2, 0xd6)
        // Sequences of three bytes: U+1000 to U+1FFF, U+2140 to U+2FFF, U+A000 to U+AFFF, U+F000 to U+FFFF.
        | (byte == 0xe1)
        | (byte == 0xe2) & (next > 0x84)
        | (byte == 0xea)
        | (byte == 0xef)
        // Sequences of four: the blocks of U+10000, U+11000, U+16000 and U+1E000.
        | (byte == 0xf0) & ((next == 0x90) | (next == 0x91) | (next == 0x96) | (next == 0x9e));
    is_special & is_continuation(next)
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
#[inline(always)]
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn capitals_of(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append_capitals(bytes, &mut out);
        out
    }

    /// The same, by way of what can be done in place.
    fn capitals_in_place(bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        let done = make_capitals(&mut out);
        assert_eq!(out[done..], bytes[done..], "what is not done is not touched");
        out.truncate(done);
        append_capitals(&bytes[done..], &mut out);
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
            assert_eq!(String::from_utf8(capitals_of(text.as_bytes())).unwrap(), expected);
        }
    }

    #[test]
    fn agrees_with_the_standard_library_on_every_code_point() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(
                capitals_of(text.as_bytes()),
                text.to_uppercase().as_bytes(),
                "{:x}",
                u32::from(character)
            );
        }
    }

    #[test]
    fn agrees_with_the_model_on_every_three_bytes_of_note() {
        // Every first byte and some ASCII, every kind of neighbour.
        let bytes: Vec<u8> = (0x80..=0xff).chain(*b"a\0z{").collect();
        for &first in &bytes {
            for &second in &bytes {
                for &third in &bytes {
                    let bytes = [b'x', first, second, third, b'y'];
                    assert_eq!(capitals_of(&bytes), model(&bytes), "{bytes:x?}");
                    assert_eq!(capitals_in_place(&bytes), model(&bytes), "{bytes:x?}");
                }
            }
        }
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        assert_eq!(capitals_of(b"a\xffb\xc3(c\xed\xa0\x80d\xf5e"), b"A\xffB\xc3(C\xed\xa0\x80D\xf5E");
        assert_eq!(capitals_of(b"\xe2\x82"), b"\xe2\x82");
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
            prop_assert_eq!(capitals_of(&bytes), model(&bytes));
            prop_assert_eq!(capitals_in_place(&bytes), model(&bytes));
        }

        #[test]
        fn a_cut_between_characters_changes_nothing(bytes in mixed_bytes(), at in any::<prop::sample::Index>()) {
            let mut cut = at.index(bytes.len() + 1);
            cut -= incomplete_tail(&bytes[..cut]);
            let pieces = [capitals_of(&bytes[..cut]), capitals_of(&bytes[cut..])].concat();
            prop_assert_eq!(pieces, model(&bytes));
        }

        #[test]
        fn what_follows_the_continuation_head_stands_alone(bytes in mixed_bytes(), at in any::<prop::sample::Index>()) {
            let cut = at.index(bytes.len() + 1);
            let cut = cut + continuation_head(&bytes[cut..]);
            let pieces = [capitals_of(&bytes[..cut]), capitals_of(&bytes[cut..])].concat();
            prop_assert_eq!(pieces, model(&bytes));
        }
    }
}
