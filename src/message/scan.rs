//! Looks through what was received for the ends of messages and for the close word, in one pass: in bulk,
//! each pass over the bytes is felt beside the kernel's own work on them.

use std::sync::LazyLock;

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, u8x64};
use memchr::memmem::Finder;

use super::CLOSE_WORD;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// How many blocks are looked at before the next decision.
const RUN: usize = 4;

/// Where the rarest letter of the close word is. With the first one before it, a place may begin the word.
const RAREST: usize = 9;

/// How far a run is looked at: the rarest letter of a word that begins in it may be behind it.
const REACH: usize = RUN * BLOCK + RAREST;

/// How many bytes are passed before a line feed in each block would be too many for a counter of one byte.
const COUNTED: usize = RUN * BLOCK * (u8::MAX as usize / RUN);

/// What there is in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// How many line feeds there are; before the close word, where there is one.
    pub(super) line_feeds: usize,
    /// Where the first close word ends.
    pub(super) close_word_end: Option<usize>,
}

/// Looks through `bytes`.
pub(super) fn scan(bytes: &[u8]) -> Found {
    scan_at(Level::new(), bytes)
}

/// [`scan`], with the vector instructions of a level.
fn scan_at(level: Level, bytes: &[u8]) -> Found {
    let mut line_feeds = 0;
    let mut passed = 0;
    loop {
        let (counted, length) = dispatch!(level, simd => pass_runs(simd, &bytes[passed..]));
        line_feeds += counted;
        passed += length;
        if length < COUNTED {
            break;
        }
    }
    let rest = &bytes[passed..];
    let start = find_close_word(rest);
    line_feeds += memchr::memchr_iter(b'\n', &rest[..start.unwrap_or(rest.len())]).count();
    Found { line_feeds, close_word_end: start.map(|start| passed + start + CLOSE_WORD.len()) }
}

/// Passes over the runs at the start of `bytes` in which no close word starts, at most [`COUNTED`] bytes. Returns the
/// number of line feeds in them, and their length.
#[expect(clippy::inline_always, reason = "only inlined code is compiled for the level of its caller")]
#[inline(always)]
fn pass_runs<S: Simd>(simd: S, bytes: &[u8]) -> (usize, usize) {
    let (first, rarest) = (CLOSE_WORD.as_bytes()[0], CLOSE_WORD.as_bytes()[RAREST]);
    let (zero, one) = (u8x64::splat(simd, 0), u8x64::splat(simd, 1));
    let mut counters = zero;
    let mut passed = 0;
    while passed < COUNTED
        && let Some(run) = bytes[passed..].first_chunk::<REACH>()
    {
        let (blocks, _) = run.as_chunks::<BLOCK>();
        let (blocks_ahead, _) = run[RAREST..].as_chunks::<BLOCK>();
        let mut counters_after = counters;
        // Becomes 0 where both letters are.
        let mut difference = u8x64::splat(simd, u8::MAX);
        for (block, ahead) in blocks.iter().zip(blocks_ahead) {
            let text = u8x64::load_array(simd, *block);
            let ahead = u8x64::load_array(simd, *ahead);
            counters_after += text.simd_eq(b'\n').select(one, zero);
            difference = difference.min((text ^ first) | (ahead ^ rarest));
        }
        if difference.simd_eq(0).any_true() {
            let end = bytes.len().min(passed + RUN * BLOCK + CLOSE_WORD.len() - 1);
            if find_close_word(&bytes[passed..end]).is_some() {
                break;
            }
        }
        counters = counters_after;
        passed += RUN * BLOCK;
    }
    (counters.as_slice().iter().map(|&count| usize::from(count)).sum(), passed)
}

fn find_close_word(bytes: &[u8]) -> Option<usize> {
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CLOSE_WORD));
    FINDER.find(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capitals::levels;
    use proptest::prelude::*;

    /// Obviously right, and slow.
    fn model(bytes: &[u8]) -> Found {
        let start = bytes.windows(CLOSE_WORD.len()).position(|window| window == CLOSE_WORD.as_bytes());
        Found {
            line_feeds: bytes[..start.unwrap_or(bytes.len())].split(|&byte| byte == b'\n').count() - 1,
            close_word_end: start.map(|start| start + CLOSE_WORD.len()),
        }
    }

    fn assert_found(bytes: &[u8]) {
        for level in levels() {
            assert_eq!(scan_at(level, bytes), model(bytes), "{level:?}");
        }
    }

    #[test]
    fn a_close_word_is_found_at_every_place() {
        for at in 0..3 * REACH {
            let mut bytes = b"CLOSE SOC KET\n".repeat(64);
            bytes.splice(at..at, CLOSE_WORD.bytes());
            assert_found(&bytes);
            assert_found(&bytes[..at + CLOSE_WORD.len()]);
            assert_found(&bytes[..at + CLOSE_WORD.len() - 1]);
        }
    }

    #[test]
    fn no_number_of_line_feeds_is_too_many() {
        assert_found(&vec![b'\n'; 2 * COUNTED + REACH + 1]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(
            pieces in prop::collection::vec(
                prop_oneof![
                    4 => "[a-zC\\n]{0,300}",
                    4 => "[CK\\n]{0,40}",
                    2 => (0..CLOSE_WORD.len()).prop_map(|end| CLOSE_WORD[..end].to_owned()),
                    1 => Just(CLOSE_WORD.to_owned()),
                ],
                0..12,
            ),
        ) {
            assert_found(pieces.concat().as_bytes());
        }
    }
}
