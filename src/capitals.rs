//! Turns UTF-8 text into Unicode capitals. Bytes that are not UTF-8 stay as they are.
//!
//! The mapping is Unicode's full, locale-independent upper-case mapping (`ß` becomes `SS`), as in Python's
//! `str.upper()` and Rust's `str::to_uppercase`. It maps one character at a time, so text can be cut between any two
//! characters and its parts mapped separately.
//!
//! ASCII, and characters of two and three bytes with capitals of the same length, are mapped in vector registers
//! (`block`), with the best instructions that the processor has. All other characters that have capitals are special:
//! they are put one at a time between those.

#![expect(clippy::inline_always, reason = "only inlined code is compiled for the level of its caller")]

mod block;
mod rows;
mod target;

use fearless_simd::{Level, dispatch};
use target::{Appended, InPlace};

/// Appends the capitals of `bytes` to `out`.
///
/// An incomplete sequence at the end of `bytes` counts as bytes that are not UTF-8: a caller that may get the rest
/// of it holds those bytes back (`text::incomplete_tail`).
pub fn append_capitals(bytes: &[u8], out: &mut Vec<u8>) {
    append_capitals_at(Level::new(), bytes, out);
}

/// Makes capitals of `bytes` in place, up to the first character whose capital has another length. Returns how many
/// bytes that is. For an incomplete sequence at the end, see [`append_capitals`].
#[must_use]
pub fn make_capitals(bytes: &mut [u8]) -> usize {
    make_capitals_at(Level::new(), bytes)
}

/// [`append_capitals`], with the vector instructions of a level.
fn append_capitals_at(level: Level, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    dispatch!(level, simd => block::map(simd, &mut Appended { bytes, out }));
}

/// [`make_capitals`], with the vector instructions of a level.
fn make_capitals_at(level: Level, bytes: &mut [u8]) -> usize {
    dispatch!(level, simd => block::map(simd, &mut InPlace(bytes)))
}

/// The capitals of a character, in UTF-8: at most three, of at most four bytes each.
fn encode_capitals(character: char, buffer: &mut [u8; 12]) -> &[u8] {
    let mut length = 0;
    for capital in character.to_uppercase() {
        length += capital.encode_utf8(&mut buffer[length..]).len();
    }
    &buffer[..length]
}

/// Every level of vector instructions that this processor has.
#[cfg(test)]
pub(crate) fn levels() -> Vec<Level> {
    #[cfg(target_arch = "x86_64")]
    use fearless_simd::Simd;

    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let lesser =
        [best.as_avx2().map(Simd::level), best.as_sse4_2().map(Simd::level), best.as_sse2().map(Simd::level)];
    #[cfg(not(target_arch = "x86_64"))]
    let lesser = [Some(Level::baseline())];
    [best].into_iter().chain(lesser.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::rows::first_character;
    use super::*;
    use crate::text::incomplete_tail;
    use proptest::prelude::*;

    /// How many inputs share a text in the exhaustive tests: as many as leave it shorter than a block.
    const SHARED: usize = 12;

    /// The capitals of `bytes`, appended and in place, which must be the same at every level.
    fn capitals_of(bytes: &[u8]) -> Vec<u8> {
        let mut all = levels().into_iter().flat_map(|level| {
            let mut appended = Vec::new();
            append_capitals_at(level, bytes, &mut appended);
            [(level, appended), (level, capitals_in_place(level, bytes))]
        });
        let (_, capitals) = all.next().unwrap();
        for (level, others) in all {
            assert_eq!(others, capitals, "{level:?} of {bytes:x?}");
        }
        capitals
    }

    /// The capitals by [`make_capitals`], which must go on up to a character whose capital has another length,
    /// and can go on after it.
    fn capitals_in_place(level: Level, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes.to_vec();
        loop {
            let at = bytes.len() - rest.len();
            let done = make_capitals_at(level, &mut rest);
            assert_eq!(rest[done..], bytes[at + done..], "{level:?} touched more than {done} of {bytes:x?}");
            out.extend(rest.drain(..done));
            if rest.is_empty() {
                return out;
            }
            let character = first_character(&rest).expect("stopped at bytes that are not text");
            let mut buffer = [0; 12];
            let capitals = encode_capitals(character, &mut buffer);
            assert_ne!(capitals.len(), character.len_utf8(), "{level:?} stopped at {character:?}");
            out.extend_from_slice(capitals);
            rest.drain(..character.len_utf8());
        }
    }

    /// Slow reference implementation.
    fn model(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in bytes.utf8_chunks() {
            out.extend_from_slice(chunk.valid().to_uppercase().as_bytes());
            out.extend_from_slice(chunk.invalid());
        }
        out
    }

    #[test]
    fn maps_common_and_special_text() {
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

    /// Between NULs, a character looks to the vector code as if it were alone: a last block is padded with them.
    #[test]
    fn agrees_with_the_model_on_every_code_point() {
        let characters: Vec<char> = ('\0'..=char::MAX).collect();
        for characters in characters.chunks(SHARED) {
            let text: String = characters.iter().flat_map(|&character| [character, '\0']).collect();
            assert_eq!(capitals_of(text.as_bytes()), model(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn agrees_with_the_model_on_every_three_bytes_of_note() {
        // Every byte that is not ASCII, and each kind of ASCII neighbor.
        let bytes: Vec<u8> = (0x80..=0xff).chain(*b"a\0z{").collect();
        for &first in &bytes {
            for &second in &bytes {
                for thirds in bytes.chunks(SHARED) {
                    let text: Vec<u8> =
                        thirds.iter().flat_map(|&third| [b'x', first, second, third, b'y']).collect();
                    assert_eq!(capitals_of(&text), model(&text), "{text:x?}");
                }
            }
        }
    }

    #[test]
    fn a_character_maps_alike_at_every_place_of_a_block_and_at_the_end() {
        for character in
            ["a", "é", "ÿ", "ß", "ɐ", "ώ", "џ", "ա", "ạ", "ა", "ⓐ", "€", "\u{10428}", "\u{1f600}"]
        {
            for before in 0..130 {
                for filling in ["x", "ж"] {
                    let text = filling.repeat(before) + character + filling;
                    let cut = &text.as_bytes()[filling.len() - 1..];
                    let ended = &text.as_bytes()[..text.len() - filling.len()];
                    for bytes in [text.as_bytes(), cut, ended, &ended[..ended.len() - 1]] {
                        assert_eq!(capitals_of(bytes), model(bytes), "{bytes:x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        assert_eq!(capitals_of(b"a\xffb\xc3(c\xed\xa0\x80d\xf5e"), b"A\xffB\xc3(C\xed\xa0\x80D\xf5E");
        assert_eq!(capitals_of(b"\xe2\x82"), b"\xe2\x82");
    }

    /// Text in several scripts, mixed with bytes that are not UTF-8.
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
        }

        #[test]
        fn a_cut_between_characters_changes_nothing(bytes in mixed_bytes(), at in any::<prop::sample::Index>()) {
            let mut cut = at.index(bytes.len() + 1);
            cut -= incomplete_tail(&bytes[..cut]);
            let pieces = [capitals_of(&bytes[..cut]), capitals_of(&bytes[cut..])].concat();
            prop_assert_eq!(pieces, model(&bytes));
        }
    }
}
