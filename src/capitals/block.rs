//! Makes capitals of blocks of bytes in vector registers, if the capitals have the same length.
//!
//! ASCII letters are found by comparison. Other characters are mapped as pairs of bytes: the tables of
//! [`super::pairs`] are looked up for all pairs with the same first byte at a time, of which a block of text has
//! few. The lookup happens at a pair's first byte; if that is the last byte of a block, the change of the second
//! byte carries over to the next block.
//!
//! All functions are `inline(always)`, so that they become part of the caller that is compiled for a level of
//! vector instructions.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, mask8x64, u8x64};

use super::pairs::{CONTINUATION, FIRST_LEAD, LAST_SHORT_LEAD, LOW_BITS, SPECIAL, Tables};
use super::target::Target;

/// How many bytes are mapped together.
const BLOCK: usize = 64;

/// How many blocks of ASCII are mapped together, after a first one.
const RUN: usize = 4;

/// Makes capitals of the text from `at` to the first special pair ([`Tables::is_special`]). Returns where that
/// is.
#[inline(always)]
pub(super) fn map<S: Simd>(simd: S, text: &mut impl Target, mut at: usize) -> usize {
    let mut context = Context { seconds: u8x64::splat(simd, 0), recent: [0xc3, 0xc5] };
    while let Some(block) = text.bytes()[at..].first_chunk::<BLOCK>() {
        let bytes = u8x64::load_array(simd, *block);
        if is_ascii(bytes) {
            at = put(text, at, ascii_capitals(bytes), BLOCK);
            at = map_ascii_runs(simd, text, at);
            continue;
        }
        let pairs = match text.bytes()[at..].first_chunk::<{ BLOCK + 2 }>() {
            Some(bytes) => Pairs::within(simd, bytes),
            None => Pairs::at_end(simd, block, &text.bytes()[at + BLOCK..]),
        };
        let mapped = context.map(simd, &pairs, block);
        if mapped.special.any_true() {
            return mapped.put_start(text, at, BLOCK);
        }
        at = put(text, at, mapped.capitals, BLOCK);
    }

    let rest = &text.bytes()[at..];
    let length = rest.len();
    if length == 0 {
        return at;
    }
    let mut block = [0; BLOCK];
    block[..length].copy_from_slice(rest);
    let bytes = u8x64::load_array(simd, block);
    if is_ascii(bytes) {
        return put(text, at, ascii_capitals(bytes), length);
    }
    let mapped = context.map(simd, &Pairs::at_end(simd, &block, &[]), &block);
    mapped.put_start(text, at, length)
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

/// The pairs that start in a block: each byte with the one after it.
struct Pairs<S: Simd> {
    first: u8x64<S>,
    /// The low bits of the second bytes.
    second_bits: u8x64<S>,
    /// Where a pair is a character, or the start of a longer one, and may change.
    may_change: mask8x64<S>,
}

impl<S: Simd> Pairs<S> {
    #[inline(always)]
    fn within(simd: S, bytes: &[u8; BLOCK + 2]) -> Self {
        let [first, second, third] = std::array::from_fn(|at| {
            let mut block = [0; BLOCK];
            block.copy_from_slice(&bytes[at..at + BLOCK]);
            u8x64::load_array(simd, block)
        });
        let tables = Tables::get();
        let classes = u8x64::load_array(simd, tables.classes_of_first).swizzle_dyn(first & LOW_BITS);
        let class = u8x64::load_array(simd, tables.bit_of_class);
        let class = class.swizzle_dyn_within_blocks(((second >> 3) & 0b110) | (second & 1));
        // Each is 0 where the byte is valid. Separate comparisons would depend on each other and take longer. Without
        // the third one, bytes that are not text would be special four times as often.
        let first_fault = u8x64::splat(simd, FIRST_LEAD).saturating_sub(first);
        let second_fault = (second ^ CONTINUATION).saturating_sub(LOW_BITS);
        let third_fault =
            (third ^ CONTINUATION).saturating_sub(LOW_BITS).min(first.saturating_sub(LAST_SHORT_LEAD));
        let may_change = (first_fault | second_fault | third_fault).simd_eq(0) & (classes & class).simd_ne(0);
        Self { first, second_bits: second & LOW_BITS, may_change }
    }

    /// The pairs in a block that at most one byte follows.
    #[inline(always)]
    fn at_end(simd: S, block: &[u8; BLOCK], following: &[u8]) -> Self {
        let mut bytes = [0; BLOCK + 2];
        bytes[..BLOCK].copy_from_slice(block);
        bytes[BLOCK..BLOCK + following.len()].copy_from_slice(following);
        Self::within(simd, &bytes)
    }

    /// What to add to the pairs with this first byte, and where they are.
    #[inline(always)]
    fn additions(&self, simd: S, first: u8) -> (Additions<S>, mask8x64<S>) {
        let none = u8x64::splat(simd, 0);
        let table = Tables::get().changes(first);
        let is_here = self.first.simd_eq(first) & self.may_change;
        let firsts = u8x64::load_array(simd, table.first).swizzle_dyn(self.second_bits);
        let seconds = u8x64::load_array(simd, table.second).swizzle_dyn(self.second_bits);
        (Additions { firsts: is_here.select(firsts, none), seconds: is_here.select(seconds, none) }, is_here)
    }
}

/// What carries over from block to block.
struct Context<S: Simd> {
    /// What to add to the byte after each byte of the last block that was not ASCII. Nothing is added after an ASCII
    /// byte.
    seconds: u8x64<S>,
    /// The two first bytes that changed last. Text stays in its script, and most scripts have no more than two:
    /// looking them up before the block is examined makes this a third faster.
    recent: [u8; 2],
}

impl<S: Simd> Context<S> {
    /// The capitals of `block`, whose pairs are `pairs`.
    #[inline(always)]
    fn map(&mut self, simd: S, pairs: &Pairs<S>, block: &[u8; BLOCK]) -> Mapped<S> {
        let [last, other] = self.recent;
        let (of_last, is_last) = pairs.additions(simd, last);
        let (of_other, is_other) = pairs.additions(simd, other);
        let mut additions = of_last.and(of_other);
        let mut left = (pairs.may_change & !(is_last | is_other)).to_bitmask();
        while left != 0 {
            let first = block[left.trailing_zeros() as usize];
            let (of_first, is_first) = pairs.additions(simd, first);
            additions = additions.and(of_first);
            left &= !is_first.to_bitmask();
            self.recent = [first, self.recent[0]];
        }
        let seconds = self.seconds.slide::<{ BLOCK - 1 }>(additions.seconds);
        self.seconds = additions.seconds;
        Mapped {
            capitals: ascii_capitals(pairs.first) + additions.firsts + seconds,
            special: additions.firsts.simd_eq(SPECIAL),
        }
    }
}

/// What to add to the bytes of pairs, at their first bytes; 0 elsewhere.
#[derive(Clone, Copy)]
struct Additions<S: Simd> {
    firsts: u8x64<S>,
    seconds: u8x64<S>,
}

impl<S: Simd> Additions<S> {
    /// These and those of other pairs.
    #[inline(always)]
    fn and(self, others: Self) -> Self {
        Self { firsts: self.firsts | others.firsts, seconds: self.seconds | others.seconds }
    }
}

/// A block's capitals.
struct Mapped<S: Simd> {
    capitals: u8x64<S>,
    /// Where special pairs start. The capitals are valid up to the first one.
    special: mask8x64<S>,
}

impl<S: Simd> Mapped<S> {
    /// Puts the capitals up to the first special pair, but at most `most`. Returns where they end.
    #[inline(always)]
    fn put_start(&self, text: &mut impl Target, at: usize, most: usize) -> usize {
        put(text, at, self.capitals, most.min(self.special.to_bitmask().trailing_zeros() as usize))
    }
}
