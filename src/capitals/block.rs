//! Makes capitals of blocks of bytes in vector registers.
//!
//! ASCII letters are found by comparison. Characters of two and three bytes are mapped by the tables of
//! [`super::rows`]: a row is looked up for all its characters in the block at a time, and text has few rows. The lookup
//! happens at a character's first byte. What it adds to the other bytes is moved there, and carries over to the next
//! block if the character does.
//!
//! Characters whose capitals have another length are special: they are put one at a time, and what is between them is
//! taken from the vector.
//!
//! All functions are `inline(always)`, so that they become part of the caller that is compiled for a level of
//! vector instructions.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, mask8x64, u8x64};

use super::rows::{CONTINUATION, FIRST_LEAD, LAST_SHORT_LEAD, LOW_BITS, Row, SPECIAL, Tables};
use super::target::Target;

/// How many bytes are mapped together.
pub(super) const BLOCK: usize = 64;

/// How many blocks of ASCII are mapped together, after a first one.
const RUN: usize = 4;

/// A block and the two bytes after it, to which its last character may extend.
const WINDOW: usize = BLOCK + 2;

/// Makes capitals of all text, or up to those that the target does not take. Returns where that is.
#[inline(always)]
pub(super) fn map<S: Simd>(simd: S, text: &mut impl Target) -> usize {
    let tables = Tables::get();
    let mut context = Context::new(simd);
    let mut at = 0;
    while let Some(block) = text.bytes()[at..].first_chunk::<BLOCK>() {
        let bytes = u8x64::load_array(simd, *block);
        if is_ascii(bytes) {
            at = put(text, at, ascii_capitals(bytes), BLOCK);
            at = map_ascii_runs(simd, text, at);
            continue;
        }
        let mapped = match text.bytes()[at..].first_chunk::<WINDOW>() {
            Some(window) => context.map(simd, tables, window),
            None => context.map(simd, tables, &last_window(&text.bytes()[at..])),
        };
        if mapped.special.any_true() {
            match mapped.put_around_specials(tables, text, at, BLOCK) {
                Ok(end) => {
                    // Nothing carries over from a special character.
                    if end > at + BLOCK {
                        context.end_block(simd);
                    }
                    at = end;
                }
                Err(end) => return end,
            }
        } else {
            at = put(text, at, mapped.capitals, BLOCK);
        }
    }

    let rest = &text.bytes()[at..];
    let length = rest.len();
    if length == 0 {
        return at;
    }
    let window = last_window(rest);
    match context.map(simd, tables, &window).put_around_specials(tables, text, at, length) {
        Ok(end) | Err(end) => end,
    }
}

/// The end of a text, padded.
fn last_window(rest: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window[..rest.len()].copy_from_slice(rest);
    window
}

/// Makes capitals of the ASCII from `at`, as far as it fills complete runs. Returns where that ends.
#[inline(always)]
fn map_ascii_runs<S: Simd>(simd: S, text: &mut impl Target, mut at: usize) -> usize {
    while let Some(run) = text.bytes()[at..].first_chunk::<{ RUN * BLOCK }>() {
        let (blocks, _) = run.as_chunks::<BLOCK>();
        let blocks: [u8x64<S>; RUN] = std::array::from_fn(|index| u8x64::load_array(simd, blocks[index]));
        if !is_ascii(blocks[0] | blocks[1] | blocks[2] | blocks[3]) {
            break;
        }
        for block in blocks {
            at = put(text, at, ascii_capitals(block), BLOCK);
        }
    }
    at
}

/// Puts the first `length` capitals of a block. Returns where they end.
#[inline(always)]
fn put<S: Simd>(text: &mut impl Target, at: usize, capitals: u8x64<S>, length: usize) -> usize {
    let mut block = [0; BLOCK];
    capitals.store_array(&mut block);
    // Cannot fail: these capitals have the same length as their letters.
    let _ = text.put(at, length, &block[..length]);
    at + length
}

#[inline(always)]
fn is_ascii<S: Simd>(text: u8x64<S>) -> bool {
    !text.simd_ge(0x80).any_true()
}

#[inline(always)]
fn ascii_capitals<S: Simd>(text: u8x64<S>) -> u8x64<S> {
    let is_small = (text - b'a').simd_lt(26);
    is_small.select(text - 0x20, text)
}

/// The characters that start in a block, at their first bytes.
struct Characters<S: Simd> {
    first: u8x64<S>,
    second: u8x64<S>,
    third: u8x64<S>,
    /// Which characters may change.
    may_change: mask8x64<S>,
}

impl<S: Simd> Characters<S> {
    #[inline(always)]
    fn new(simd: S, tables: &Tables, window: &[u8; WINDOW]) -> Self {
        let [first, second, third] = std::array::from_fn(|at| {
            let mut block = [0; BLOCK];
            block.copy_from_slice(&window[at..at + BLOCK]);
            u8x64::load_array(simd, block)
        });
        let classes = u8x64::load_array(simd, tables.classes_of_first).swizzle_dyn(first & LOW_BITS);
        let class = u8x64::load_array(simd, tables.bit_of_class);
        let class = class.swizzle_dyn_within_blocks(((second >> 3) & 0b110) | (second & 1));
        // Each is 0 where the byte is valid. Separate comparisons would depend on each other and take longer.
        let first_fault = u8x64::splat(simd, FIRST_LEAD).saturating_sub(first);
        let second_fault = (second ^ CONTINUATION).saturating_sub(LOW_BITS);
        let third_fault =
            (third ^ CONTINUATION).saturating_sub(LOW_BITS).min(first.saturating_sub(LAST_SHORT_LEAD));
        let may_change = (first_fault | second_fault | third_fault).simd_eq(0) & (classes & class).simd_ne(0);
        Self { first, second, third, may_change }
    }

    /// What to add to the characters of a row of two bytes, and where they are.
    #[inline(always)]
    fn short_row(&self, simd: S, tables: &Tables, first: u8) -> (Additions<S>, mask8x64<S>) {
        let are_here = self.first.simd_eq(first) & self.may_change;
        (Additions::of_row(simd, tables.short_row(first), self.second & LOW_BITS, are_here), are_here)
    }

    /// Where characters with these first two bytes may change.
    #[inline(always)]
    fn are_long(&self, [first, second]: [u8; 2]) -> mask8x64<S> {
        self.first.simd_eq(first) & self.second.simd_eq(second) & self.may_change
    }

    /// What to add to the characters of a row of three bytes, what to their third bytes, and where they are.
    #[inline(always)]
    fn long_row(&self, simd: S, tables: &Tables, start: [u8; 2]) -> (Additions<S>, u8x64<S>, mask8x64<S>) {
        let are_here = self.are_long(start);
        let (row, bits) = (tables.long_row(start), self.third & LOW_BITS);
        let thirds = u8x64::load_array(simd, row.third).swizzle_dyn(bits);
        let thirds = are_here.select(thirds, u8x64::splat(simd, 0));
        (Additions::of_row(simd, row, bits, are_here), thirds, are_here)
    }
}

/// What to add to the first two bytes of characters, at their first bytes; 0 elsewhere.
#[derive(Clone, Copy)]
struct Additions<S: Simd> {
    firsts: u8x64<S>,
    seconds: u8x64<S>,
}

impl<S: Simd> Additions<S> {
    /// The additions for the characters of a row that are here, by the low bits of their last bytes.
    #[inline(always)]
    fn of_row(simd: S, row: &Row, bits: u8x64<S>, are_here: mask8x64<S>) -> Self {
        let none = u8x64::splat(simd, 0);
        let firsts = u8x64::load_array(simd, row.first).swizzle_dyn(bits);
        let seconds = u8x64::load_array(simd, row.second).swizzle_dyn(bits);
        Self { firsts: are_here.select(firsts, none), seconds: are_here.select(seconds, none) }
    }

    /// Combines the additions for different characters.
    #[inline(always)]
    fn and(self, others: Self) -> Self {
        Self { firsts: self.firsts | others.firsts, seconds: self.seconds | others.seconds }
    }
}

/// What carries over from block to block.
struct Context<S: Simd> {
    /// What to add to the byte after each byte of the last block that was not ASCII. Nothing is added after an ASCII
    /// byte.
    seconds: u8x64<S>,
    /// What to add to the byte after that.
    thirds: u8x64<S>,
    /// Whether that is anything.
    has_thirds: bool,
    /// The rows of two bytes that changed last, by their first bytes. Text stays in its script, and most scripts have no
    /// more than two: looking them up before the block is examined makes this a third faster.
    short: [u8; 2],
    /// The same for three bytes, by the first two of them.
    long: [[u8; 2]; 2],
}

impl<S: Simd> Context<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let none = u8x64::splat(simd, 0);
        let long = [[0xe1, 0xba], [0xe1, 0xbb]];
        Self { seconds: none, thirds: none, has_thirds: false, short: [0xc3, 0xc5], long }
    }

    /// The capitals of a block.
    #[inline(always)]
    fn map(&mut self, simd: S, tables: &Tables, window: &[u8; WINDOW]) -> Mapped<S> {
        let characters = Characters::new(simd, tables, window);
        let [last, other] = self.short;
        let (of_last, are_last) = characters.short_row(simd, tables, last);
        let (of_other, are_other) = characters.short_row(simd, tables, other);
        let mut additions = of_last.and(of_other);
        let mut capitals = ascii_capitals(characters.first);
        let mut left = (characters.may_change & !(are_last | are_other)).to_bitmask();
        if left != 0 || self.has_thirds {
            let mut long = left & characters.first.simd_gt(LAST_SHORT_LEAD).to_bitmask();
            left &= !long;
            while left != 0 {
                let first = window[left.trailing_zeros() as usize];
                let (of_row, are_here) = characters.short_row(simd, tables, first);
                additions = additions.and(of_row);
                left &= !are_here.to_bitmask();
                self.short = [first, self.short[0]];
            }
            // The classes let some rows through that have no capitals. Emoji are in one of those.
            while long != 0 {
                let at = long.trailing_zeros() as usize;
                let start = [window[at], window[at + 1]];
                if tables.has_long_row(start) {
                    break;
                }
                long &= !characters.are_long(start).to_bitmask();
            }
            if long != 0 || self.has_thirds {
                let (of_long, thirds) = self.long_rows(simd, tables, &characters, window, long);
                additions = additions.and(of_long);
                capitals += self.thirds.slide::<{ BLOCK - 2 }>(thirds);
                (self.thirds, self.has_thirds) = (thirds, long != 0);
            }
        }
        let seconds = self.seconds.slide::<{ BLOCK - 1 }>(additions.seconds);
        self.seconds = additions.seconds;
        Mapped { capitals: capitals + additions.firsts + seconds, special: additions.firsts.simd_eq(SPECIAL) }
    }

    /// What to add to the characters of three bytes, which start at `left`, and what to their third bytes.
    #[inline(always)]
    fn long_rows(
        &mut self,
        simd: S,
        tables: &Tables,
        characters: &Characters<S>,
        window: &[u8; WINDOW],
        mut left: u64,
    ) -> (Additions<S>, u8x64<S>) {
        let [last, other] = self.long;
        let (of_last, thirds_of_last, are_last) = characters.long_row(simd, tables, last);
        let (of_other, thirds_of_other, are_other) = characters.long_row(simd, tables, other);
        let mut additions = of_last.and(of_other);
        let mut thirds = thirds_of_last | thirds_of_other;
        left &= !(are_last | are_other).to_bitmask();
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            let start = [window[at], window[at + 1]];
            let (of_row, thirds_of_row, are_here) = characters.long_row(simd, tables, start);
            additions = additions.and(of_row);
            thirds |= thirds_of_row;
            left &= !are_here.to_bitmask();
            self.long = [start, self.long[0]];
        }
        (additions, thirds)
    }

    /// Adds nothing to the next block.
    #[inline(always)]
    fn end_block(&mut self, simd: S) {
        let none = u8x64::splat(simd, 0);
        (self.seconds, self.thirds) = (none, none);
    }
}

/// A block's capitals.
struct Mapped<S: Simd> {
    /// Not valid for special characters.
    capitals: u8x64<S>,
    /// Where special characters start.
    special: mask8x64<S>,
}

impl<S: Simd> Mapped<S> {
    /// Puts the first `length` capitals, and all of a special character that starts there. Returns where they end; an
    /// error is where the target did not take a special character.
    #[inline(always)]
    fn put_around_specials(
        &self,
        tables: &Tables,
        text: &mut impl Target,
        at: usize,
        length: usize,
    ) -> Result<usize, usize> {
        let mut capitals = [0; 2 * BLOCK];
        self.capitals.store_array(capitals.first_chunk_mut().expect("two blocks"));
        let mut from = 0;
        let mut specials = self.special.to_bitmask();
        while specials != 0 {
            let special = specials.trailing_zeros() as usize;
            specials &= specials - 1;
            text.put_piece(at + from, special - from, piece(&capitals, from));
            from = special;
            let start = at + special;
            let put = match tables.special(&text.bytes()[start..]) {
                // Not a character after all: the byte stays.
                None => {
                    from += 1;
                    text.put(start, 1, &[text.bytes()[start]])
                }
                Some(character) => {
                    from += character.length;
                    text.put(start, character.length, character.capitals())
                }
            };
            if put.is_err() {
                return Err(start);
            }
        }
        if from < length {
            text.put_piece(at + from, length - from, piece(&capitals, from));
            from = length;
        }
        Ok(at + from)
    }
}

#[inline(always)]
fn piece(capitals: &[u8; 2 * BLOCK], from: usize) -> &[u8; BLOCK] {
    capitals[from..].first_chunk().expect("a block follows each byte of the first one")
}
