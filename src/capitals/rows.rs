//! How characters change: tables made from the standard library's mapping.
//!
//! A row is the characters that share all bytes but the last: up to 64 characters of two bytes with one first byte,
//! or of three bytes with the same first and second byte.

use std::sync::LazyLock;

use super::encode_capitals;
use crate::text::MAX_CONTINUATION;

/// The lowest first byte of a character of two bytes or more.
pub(super) const FIRST_LEAD: u8 = 0xc2;

/// The highest first byte of a character of two bytes.
pub(super) const LAST_SHORT_LEAD: u8 = 0xdf;

/// The lowest first byte of a character of four bytes.
const FIRST_LONGEST_LEAD: u8 = 0xf0;

/// The bits that all continuation bytes share.
pub(super) const CONTINUATION: u8 = 0b1000_0000;

/// The bits in which continuation bytes, and first bytes, differ.
pub(super) const LOW_BITS: u8 = 0b0011_1111;

/// Replaces the change of a first byte: the capital may have another length, or does not follow from the row. No first
/// byte changes by this much.
pub(super) const SPECIAL: u8 = 0x80;

/// The rows of three bytes that have capitals. Of characters of four bytes, those that may have capitals, all of which
/// are special.
const LONG_ROWS: [(u8, &[u8]); 5] = [
    // Georgian and Cherokee; Cyrillic, phonetic, Latin and Greek extensions.
    (0xe1, &[0x83, 0x8f, 0xb2, 0xb5, 0xb6, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf]),
    // Numerals and letters in circles; Glagolitic, Coptic, more Latin and Georgian.
    (0xe2, &[0x85, 0x86, 0x93, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4]),
    // More Cyrillic, Latin and Cherokee.
    (0xea, &[0x99, 0x9a, 0x9c, 0x9d, 0x9e, 0x9f, 0xad, 0xae]),
    // Ligatures and full width.
    (0xef, &[0xac, 0xbd]),
    // The blocks of U+10000, U+11000, U+16000 and U+1E000.
    (0xf0, &[0x90, 0x91, 0x96, 0x9e]),
];

/// All rows.
///
/// Continuation bytes are in eight classes, by their quarter and by their last bit: in most alphabets, small letters
/// are consecutive, or every other character is one. So the classes of second bytes rule out most characters without a
/// capital.
pub(super) struct Tables {
    /// For each first byte, by its low bits: the classes of second bytes with which a character may change.
    pub(super) classes_of_first: [u8; 64],
    /// The bit of each class, repeated.
    pub(super) bit_of_class: [u8; 64],
    /// The rows of two bytes, by the low bits of the first byte.
    short: [Row; 32],
    /// Which of `long` a row is, by the low bits of the first and second byte.
    index_of_long: [[u8; 64]; 32],
    /// The first one has no capitals.
    long: Vec<Row>,
    specials: Vec<Special>,
}

/// What to add to the bytes of each character of a row to get the bytes of its capital, by the low bits of its last byte.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) first: [u8; 64],
    pub(super) second: [u8; 64],
    /// Zero for characters of two bytes.
    pub(super) third: [u8; 64],
    /// For characters that are [`SPECIAL`]: the index of their capitals.
    special: [u8; 64],
}

impl Row {
    const EMPTY: Self = Self { first: [0; 64], second: [0; 64], third: [0; 64], special: [0; 64] };
}

/// A character that is not mapped by its row.
#[derive(Clone, Copy)]
pub(super) struct Special {
    /// How many bytes it has.
    pub(super) length: usize,
    capitals: [u8; 12],
    capitals_length: usize,
}

impl Special {
    fn new(character: char) -> Self {
        let mut capitals = [0; 12];
        let capitals_length = encode_capitals(character, &mut capitals).len();
        Self { length: character.len_utf8(), capitals, capitals_length }
    }

    pub(super) fn capitals(&self) -> &[u8] {
        &self.capitals[..self.capitals_length]
    }
}

impl Tables {
    pub(super) fn get() -> &'static Self {
        static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);
        &TABLES
    }

    fn new() -> Self {
        let mut tables = Self {
            classes_of_first: [0; 64],
            bit_of_class: std::array::from_fn(|class| 1 << (class % 8)),
            short: std::array::from_fn(|_| Row::EMPTY),
            index_of_long: [[0; 64]; 32],
            long: vec![Row::EMPTY],
            specials: Vec::new(),
        };
        for first in FIRST_LEAD..=LAST_SHORT_LEAD {
            let row = tables.row(&[first]);
            for second in 0..64 {
                if row.first[second] != 0 || row.second[second] != 0 {
                    tables.note_class(first, second);
                }
            }
            tables.short[short_index(first)] = row;
        }
        for (first, seconds) in LONG_ROWS {
            for &second in seconds {
                let row = tables.row(&[first, second]);
                tables.note_class(first, low_bits(second));
                tables.index_of_long[short_index(first)][low_bits(second)] =
                    u8::try_from(tables.long.len()).expect("less than 256 rows");
                tables.long.push(row);
            }
        }
        tables
    }

    fn note_class(&mut self, first: u8, second: usize) {
        self.classes_of_first[low_bits(first)] |= self.bit_of_class[class(second)];
    }

    /// The row of characters that start with these bytes.
    fn row(&mut self, start: &[u8]) -> Row {
        let mut row = Row::EMPTY;
        if start[0] >= FIRST_LONGEST_LEAD {
            row.first.fill(SPECIAL);
            return row;
        }
        for last in CONTINUATION..=CONTINUATION | LOW_BITS {
            let bytes = [start, &[last]].concat();
            let Some(character) = str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) else {
                continue;
            };
            let mut buffer = [0; 12];
            let capitals = encode_capitals(character, &mut buffer);
            let at = low_bits(last);
            if capitals.len() == bytes.len() {
                row.first[at] = capitals[0].wrapping_sub(bytes[0]);
                row.second[at] = capitals[1].wrapping_sub(bytes[1]);
                row.third[at] = capitals.get(2).map_or(0, |third| third.wrapping_sub(last));
            } else {
                row.first[at] = SPECIAL;
                row.special[at] = u8::try_from(self.specials.len()).expect("at most 256 special characters");
                self.specials.push(Special::new(character));
            }
        }
        row
    }

    /// The row of two bytes with this first byte.
    #[inline(always)]
    pub(super) fn short_row(&self, first: u8) -> &Row {
        &self.short[short_index(first)]
    }

    /// The row of three bytes with this first and second byte.
    #[inline(always)]
    pub(super) fn long_row(&self, start: [u8; 2]) -> &Row {
        &self.long[usize::from(self.long_index(start))]
    }

    /// Whether that row has any capitals.
    #[inline(always)]
    pub(super) fn has_long_row(&self, start: [u8; 2]) -> bool {
        self.long_index(start) > 0
    }

    #[inline(always)]
    fn long_index(&self, [first, second]: [u8; 2]) -> u8 {
        self.index_of_long[short_index(first)][low_bits(second)]
    }

    /// The special character at the start of `bytes`; `None` if there is no character.
    pub(super) fn special(&self, bytes: &[u8]) -> Option<Special> {
        let index = match *bytes {
            [first @ ..=LAST_SHORT_LEAD, second, ..] => self.short_row(first).special[low_bits(second)],
            [first @ ..FIRST_LONGEST_LEAD, second, third, ..] => {
                self.long_row([first, second]).special[low_bits(third)]
            }
            _ => return first_character(bytes).map(Special::new),
        };
        Some(self.specials[usize::from(index)])
    }
}

fn low_bits(byte: u8) -> usize {
    usize::from(byte & LOW_BITS)
}

fn short_index(first: u8) -> usize {
    usize::from(first & (LOW_BITS >> 1))
}

/// The class of a continuation byte, by its low bits: its quarter, and whether it is odd.
fn class(second: usize) -> usize {
    second / 16 * 2 + second % 2
}

/// The character at the start of `bytes`, if there is one.
pub(super) fn first_character(bytes: &[u8]) -> Option<char> {
    let sequence = &bytes[..bytes.len().min(1 + MAX_CONTINUATION)];
    sequence.utf8_chunks().next()?.valid().chars().next()
}
