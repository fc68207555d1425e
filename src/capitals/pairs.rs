//! What becomes of the first two bytes of a character: tables, made from the standard library's mapping.

use std::sync::LazyLock;

use super::encode_capitals;

/// The lowest first byte of a character of two bytes or more.
pub(super) const FIRST_LEAD: u8 = 0xc2;

/// A continuation byte, but for the bits in which they differ.
pub(super) const CONTINUATION: u8 = 0b1000_0000;

/// What differs between continuation bytes.
pub(super) const CONTINUATION_BITS: u8 = 0b0011_1111;

/// In place of a first byte's change: the pair may begin a character whose capital has another length, or
/// whose capital is not known by its first two bytes. No first byte changes by as much.
pub(super) const SPECIAL: u8 = 0x80;

/// What must be added to the two bytes of a pair to make them a capital's, for each continuation byte that
/// the second can be.
pub(super) struct Changes {
    pub(super) first: [u8; 64],
    pub(super) second: [u8; 64],
}

/// The changes after a first byte, which is one of 0xC0 to 0xFF.
#[inline(always)]
pub(super) fn changes(lead: u8) -> &'static Changes {
    static CHANGES: LazyLock<[Changes; 64]> =
        LazyLock::new(|| std::array::from_fn(|index| changes_after(index.to_le_bytes()[0] | 0xc0)));
    &CHANGES[usize::from(lead & 0b0011_1111)]
}

/// Whether a byte and the one after it may begin a character whose capital the tables do not know. Some of
/// those have no capital after all.
pub(super) fn is_special(byte: u8, next: u8) -> bool {
    byte >= FIRST_LEAD
        && next & !CONTINUATION_BITS == CONTINUATION
        && changes(byte).first[usize::from(next & CONTINUATION_BITS)] == SPECIAL
}

fn changes_after(lead: u8) -> Changes {
    let mut changes = Changes { first: [0; 64], second: [0; 64] };
    for (bits, second) in (0x80..=0xbf).enumerate() {
        if is_long_special(lead, second) {
            changes.first[bits] = SPECIAL;
        } else if let Ok(text) = str::from_utf8(&[lead, second]) {
            for character in text.chars() {
                match *encode_capitals(character, &mut [0; 12]) {
                    [capital_lead, capital_second] => {
                        changes.first[bits] = capital_lead.wrapping_sub(lead);
                        changes.second[bits] = capital_second.wrapping_sub(second);
                    }
                    _ => changes.first[bits] = SPECIAL,
                }
            }
        }
    }
    changes
}

/// Whether two bytes may begin a character of three bytes or four that has a capital.
fn is_long_special(lead: u8, second: u8) -> bool {
    match lead {
        // U+1000 to U+1FFF, U+2140 to U+2FFF, U+A000 to U+AFFF, U+F000 to U+FFFF.
        0xe1 | 0xea | 0xef => true,
        0xe2 => second > 0x84,
        // The blocks of U+10000, U+11000, U+16000 and U+1E000.
        0xf0 => matches!(second, 0x90 | 0x91 | 0x96 | 0x9e),
        _ => false,
    }
}
