//! Makes capitals of whole blocks of bytes in vector registers, where the capitals have the same length.
//!
//! ASCII letters are found by comparing. For all else, the first bytes that occur in the block are taken one
//! after the other, of which text has few in any block, and the tables of [`super::pairs`] are looked up for
//! all places of one at once. The change of a pair's second byte is found where the first one is: where that
//! is a block's last byte, it is for the next block to make.
//!
//! All functions are `inline(always)`: only so do they become a part of the caller that is compiled for a
//! level of vector instructions.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, mask8x64, u8x64};

use super::pairs::{self, CONTINUATION, CONTINUATION_BITS, FIRST_LEAD, SPECIAL};

/// How many bytes are mapped at once.
const BLOCK: usize = 64;

/// How many blocks of ASCII are mapped at once, once there was one.
const RUN: usize = 4;

/// Makes capitals of `bytes` in place up to the first special pair ([`pairs::is_special`]), and says how many
/// bytes that is.
#[inline(always)]
pub(super) fn make_capitals<S: Simd>(simd: S, bytes: &mut [u8]) -> usize {
    let length = bytes.len();
    let none = u8x64::splat(simd, 0);
    let mut owed = none;
    let mut rest = bytes;
    while let Some(block) = rest.first_chunk::<BLOCK>() {
        let text = u8x64::load_array(simd, *block);
        let mut done = BLOCK;
        if is_ascii(text) {
            ascii_capitals(text).store_slice(&mut rest[..BLOCK]);
            done += make_ascii_run_capitals(simd, &mut rest[BLOCK..]);
            owed = none;
        } else {
            let next = rest[1..].first_chunk::<BLOCK>();
            let next = next.map_or(text.slide::<1>(none), |next| u8x64::load_array(simd, *next));
            let mapped = Mapped::of(simd, text, next, block, owed);
            mapped.up_to_special(simd, text).store_slice(&mut rest[..BLOCK]);
            if mapped.special != 0 {
                return length - rest.len() + mapped.length();
            }
            owed = mapped.seconds;
        }
        rest = &mut rest[done..];
    }

    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    let text = u8x64::load_array(simd, block);
    let mapped = Mapped::of(simd, text, text.slide::<1>(none), &block, owed);
    let done = mapped.length().min(rest.len());
    mapped.capitals.store_array(&mut block);
    rest[..done].copy_from_slice(&block[..done]);
    length - rest.len() + done
}

/// Makes capitals of the ASCII at the start of `bytes`, and says how many bytes that is.
#[inline(always)]
fn make_ascii_run_capitals<S: Simd>(simd: S, bytes: &mut [u8]) -> usize {
    let mut done = 0;
    for run in bytes.chunks_exact_mut(RUN * BLOCK) {
        let (blocks, _) = run.as_chunks_mut::<BLOCK>();
        let text: [u8x64<S>; RUN] = std::array::from_fn(|index| u8x64::load_array(simd, blocks[index]));
        if !is_ascii(text[0] | text[1] | text[2] | text[3]) {
            break;
        }
        for (text, block) in text.into_iter().zip(blocks) {
            ascii_capitals(text).store_array(block);
        }
        done += RUN * BLOCK;
    }
    done
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

/// A block's capitals.
struct Mapped<S: Simd> {
    capitals: u8x64<S>,
    /// What must be added to the byte after each one.
    seconds: u8x64<S>,
    /// A bit for each special pair, where it begins. The capitals are right up to the first one.
    special: u64,
}

impl<S: Simd> Mapped<S> {
    /// The capitals of `text`, which is what `block` has; `next` is the same a byte later, and `owed` what the
    /// block before says of the bytes after its own.
    #[inline(always)]
    fn of(simd: S, text: u8x64<S>, next: u8x64<S>, block: &[u8; BLOCK], owed: u8x64<S>) -> Self {
        let mut capitals = ascii_capitals(text);
        let mut seconds = u8x64::splat(simd, 0);
        let mut special = mask8x64::splat(simd, false);
        let is_first = text.simd_ge(FIRST_LEAD) & (next & !CONTINUATION_BITS).simd_eq(CONTINUATION);
        let bits = next & CONTINUATION_BITS;
        let mut leads = is_first.to_bitmask();
        while leads != 0 {
            let lead = block[leads.trailing_zeros() as usize];
            let changes = pairs::changes(lead);
            let is_lead = text.simd_eq(lead) & is_first;
            leads &= !is_lead.to_bitmask();
            let first = u8x64::load_array(simd, changes.first).swizzle_dyn(bits);
            special |= is_lead & first.simd_eq(SPECIAL);
            capitals = is_lead.select(capitals + first, capitals);
            seconds = is_lead.select(u8x64::load_array(simd, changes.second).swizzle_dyn(bits), seconds);
        }
        capitals += owed.slide::<{ BLOCK - 1 }>(seconds);
        Self { capitals, seconds, special: special.to_bitmask() }
    }

    /// How many bytes are before the first special pair.
    #[inline(always)]
    fn length(&self) -> usize {
        self.special.trailing_zeros() as usize
    }

    /// The capitals, and `text` from the first special pair on.
    #[inline(always)]
    fn up_to_special(&self, simd: S, text: u8x64<S>) -> u8x64<S> {
        // All bits below the lowest.
        let before = self.special.wrapping_sub(1) & !self.special;
        mask8x64::from_bitmask(simd, before).select(self.capitals, text)
    }
}
