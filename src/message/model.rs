//! What messages must come to, in the simplest way, to compare with.

use super::{Buffer, CLOSE_WORD, Messages, Verdict};
use crate::capitals::append_capitals;
use crate::text::incomplete_tail;

const SMALL_PIECE: usize = 20;

/// Receives, and collects all replies.
pub(crate) fn receive(messages: &mut Messages, bytes: &[u8], replies: &mut Vec<u8>) -> Verdict {
    let mut buffer = Buffer::new(bytes.len());
    buffer.space().copy_from_slice(bytes);
    let mut spare = Vec::new();
    let (verdict, due) = messages.receive(&mut buffer, bytes.len(), &mut spare).expect("there is memory");
    replies.extend_from_slice(due);
    verdict
}

/// Feeds `bytes`, cut at each of `cuts`, with a quiet gap after each of `gaps`, and ends the client's side if the
/// conversation is still open.
pub(crate) fn converse(bytes: &[u8], cuts: &[usize], gaps: &[usize]) -> (Vec<u8>, Verdict, u64) {
    let mut messages = Messages::with_piece(SMALL_PIECE);
    let mut replies = Vec::new();
    let mut edges = [cuts, gaps, &[bytes.len()]].concat();
    edges.sort_unstable();
    let mut start = 0;
    for edge in edges {
        if receive(&mut messages, &bytes[start..edge], &mut replies) == Verdict::Close {
            return (replies, Verdict::Close, messages.count());
        }
        if gaps.contains(&edge) {
            assert_eq!(messages.is_pending(), {
                let before = replies.len();
                messages.pause(&mut replies);
                replies.len() > before
            });
        }
        start = edge;
    }
    messages.finish(&mut replies);
    (replies, Verdict::Open, messages.count())
}

/// Slow reference implementation: it sees all bytes, and takes one message after the other.
pub(crate) fn model(bytes: &[u8], gaps: &[usize]) -> (Vec<u8>, Verdict, u64) {
    let mut replies = Vec::new();
    let mut start = 0;
    for (count, message) in (0..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
        let word = message.windows(CLOSE_WORD.len()).position(|window| window == CLOSE_WORD.as_bytes());
        if let Some(word) = word {
            let word_end = word + CLOSE_WORD.len();
            let pieces = (0..word_end).filter(|at| at % SMALL_PIECE == 0);
            let pauses = gaps.iter().filter(|&&gap| gap > start).map(|gap| gap - start);
            let answered = pieces
                .chain(pauses.filter(|&at| at < word_end))
                .map(|at| at - incomplete_tail(&message[..at]))
                .max()
                .unwrap_or(0);
            append_capitals(&message[..answered], &mut replies);
            return (replies, Verdict::Close, count);
        }
        append_capitals(message, &mut replies);
        start += message.len();
    }
    let count = bytes.split_inclusive(|&byte| byte == b'\n').count() as u64;
    (replies, Verdict::Open, count)
}
