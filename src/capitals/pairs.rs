//! How the first two bytes of a character change: tables made from the standard library's mapping.

use std::sync::LazyLock;

use super::encode_capitals;

/// The lowest first byte of a character of two bytes or more.
pub(super) const FIRST_LEAD: u8 = 0xc2;

/// The highest first byte of a character of two bytes.
pub(super) const LAST_SHORT_LEAD: u8 = 0xdf;

/// The bits that all continuation bytes share.
pub(super) const CONTINUATION: u8 = 0b1000_0000;

/// The bits in which continuation bytes, and first bytes, differ.
pub(super) const LOW_BITS: u8 = 0b0011_1111;

/// Replaces the change of a first byte: the pair may start a character whose capital has another length, or does not
/// follow from its first two bytes. No first byte changes by this much.
pub(super) const SPECIAL: u8 = 0x80;

/// The changes of every pair.
///
/// Continuation bytes are in eight classes, by their quarter and by their last bit: in most alphabets, small letters
/// are consecutive, or every other character is one. So the classes rule out most pairs without a change.
pub(super) struct Tables {
    /// For each first byte, by its low bits: the classes of continuation bytes with which it may change.
    pub(super) classes_of_first: [u8; 64],
    /// The bit of each class, repeated.
    pub(super) bit_of_class: [u8; 64],
    /// For each first byte, by its low bits.
    changes: [Changes; 64],
}

/// What to add to the two bytes of a pair to get those of the capital: for each second byte, by its low bits.
pub(super) struct Changes {
    pub(super) first: [u8; 64],
    pub(super) second: [u8; 64],
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
            changes: std::array::from_fn(|_| Changes { first: [0; 64], second: [0; 64] }),
        };
        for first in FIRST_LEAD..=u8::MAX {
            for second in CONTINUATION..=CONTINUATION | LOW_BITS {
                let change = change(first, second);
                if change != (0, 0) {
                    tables.classes_of_first[low_bits(first)] |= tables.bit_of_class[class(second)];
                    let changes = &mut tables.changes[low_bits(first)];
                    (changes.first[low_bits(second)], changes.second[low_bits(second)]) = change;
                }
            }
        }
        tables
    }

    /// The changes for a first byte.
    #[inline(always)]
    pub(super) fn changes(&self, first: u8) -> &Changes {
        &self.changes[low_bits(first)]
    }

    /// Whether two bytes may start a character whose capital is not in the tables. Some of those have no capital
    /// after all.
    pub(super) fn is_special(&self, first: u8, second: u8) -> bool {
        first >= FIRST_LEAD
            && second & !LOW_BITS == CONTINUATION
            && self.changes(first).first[low_bits(second)] == SPECIAL
    }
}

fn low_bits(byte: u8) -> usize {
    usize::from(byte & LOW_BITS)
}

/// The class of a continuation byte: its quarter, and whether it is odd.
fn class(second: u8) -> usize {
    low_bits(second) / 16 * 2 + low_bits(second) % 2
}

fn change(first: u8, second: u8) -> (u8, u8) {
    if is_long_special(first, second) {
        return (SPECIAL, 0);
    }
    let pair = [first, second];
    let Some(character) = str::from_utf8(&pair).ok().and_then(|text| text.chars().next()) else {
        return (0, 0);
    };
    match *encode_capitals(character, &mut [0; 12]) {
        [capital_first, capital_second] => {
            (capital_first.wrapping_sub(first), capital_second.wrapping_sub(second))
        }
        _ => (SPECIAL, 0),
    }
}

/// Whether two bytes may start a character of three or four bytes that has a capital.
fn is_long_special(first: u8, second: u8) -> bool {
    match first {
        // Georgian and Cherokee; Cyrillic, phonetic, Latin and Greek extensions.
        0xe1 => matches!(second, 0x83 | 0x8f | 0xb2 | 0xb5 | 0xb6 | 0xb8..=0xbf),
        // Numerals and letters in circles; Glagolitic, Coptic, more Latin and Georgian.
        0xe2 => matches!(second, 0x85 | 0x86 | 0x93 | 0xb0..=0xb4),
        // More Cyrillic, Latin and Cherokee.
        0xea => matches!(second, 0x99 | 0x9a | 0x9c..=0x9f | 0xad | 0xae),
        // Ligatures and full width.
        0xef => matches!(second, 0xac | 0xbd),
        // The blocks of U+10000, U+11000, U+16000 and U+1E000.
        0xf0 => matches!(second, 0x90 | 0x91 | 0x96 | 0x9e),
        _ => false,
    }
}
