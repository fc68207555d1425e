//! The protocol, without I/O: bytes from a client go in, reply bytes and a verdict come out.
//!
//! A message ends with a line feed, or at the end of the stream. Its reply is the same text in capitals. A message
//! that contains [`CLOSE_WORD`] ends the conversation: it gets no reply, and neither does anything after it.
//!
//! A message may be answered in pieces before it is complete: at a quiet gap ([`Messages::pause`]), and each time it
//! has grown by another [`PIECE`]. The replies are the same for every way of splitting the same bytes over calls of
//! [`Messages::receive`].

mod buffer;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod scan;

use std::io;

use crate::capitals::{append_capitals, make_capitals};
use crate::memory;
use crate::text::{MAX_CONTINUATION, incomplete_tail};
pub use buffer::Buffer;
use scan::{Found, scan};

/// A message that contains this closes the connection.
pub const CLOSE_WORD: &str = "CLOSE SOCKET";

/// How many bytes of a message may wait for its end: at each multiple of this length, counted from the message's
/// first byte, what has arrived so far is answered.
pub const PIECE: usize = 64 * 1024;

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// More may be received.
    Open,
    /// The close word was found: send the replies, and close.
    Close,
}

/// One client's messages so far.
#[derive(Debug)]
pub struct Messages {
    /// The end of the unfinished message: what was received and not answered yet.
    unanswered: Vec<u8>,
    /// How many bytes of the unfinished message were answered before it ended.
    answered: usize,
    close_word: CloseWordSearch,
    count: u64,
    piece: usize,
}

impl Default for Messages {
    fn default() -> Self {
        Self::with_piece(PIECE)
    }
}

impl Messages {
    fn with_piece(piece: usize) -> Self {
        Self { unanswered: Vec::new(), answered: 0, close_word: CloseWordSearch::default(), count: 0, piece }
    }

    /// Takes the client's next bytes, the first `length` of the space of `buffer`, and returns the replies that are
    /// due. They are made in place, or in `spare` if a capital has another length than its letter.
    ///
    /// After [`Verdict::Close`] nothing is answered.
    ///
    /// Returns an error if there is no memory for an unfinished message.
    #[expect(clippy::missing_errors_doc, reason = "a sentence says it")]
    pub fn receive<'a>(
        &mut self,
        buffer: &'a mut Buffer,
        length: usize,
        spare: &'a mut Vec<u8>,
    ) -> io::Result<(Verdict, &'a [u8])> {
        let found = self.close_word.find(buffer, length);
        self.count += found.line_feeds as u64;
        let Some(end) = found.close_word_end else {
            return Ok((Verdict::Open, self.answer_due(buffer, length, spare)?));
        };
        // Without the byte that completes the close word, these bytes are like any others. So what is answered before
        // a close is what would have been answered if that byte had never arrived.
        let replies = self.answer_due(buffer, end - 1, spare)?;
        self.unanswered = Vec::new();
        self.answered = 0;
        Ok((Verdict::Close, replies))
    }

    /// Answers what has arrived of an unfinished message: the client seems to wait for it. An incomplete character
    /// waits for its rest.
    pub fn pause(&mut self, replies: &mut Vec<u8>) {
        let tail = self.unanswered.split_off(self.unanswered.len() - incomplete_tail(&self.unanswered));
        let unanswered = std::mem::replace(&mut self.unanswered, tail);
        self.answered += unanswered.len();
        append_capitals(&unanswered, replies);
    }

    /// Answers an unfinished message in full: the client has closed its sending side.
    pub fn finish(&mut self, replies: &mut Vec<u8>) {
        if self.answered > 0 || !self.unanswered.is_empty() {
            append_capitals(&std::mem::take(&mut self.unanswered), replies);
            self.answered = 0;
            self.count += 1;
        }
    }

    /// Whether [`pause`](Self::pause) would answer anything.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.unanswered.len() > incomplete_tail(&self.unanswered)
    }

    /// How many messages were answered in full.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Answers what is due: the messages that end in the bytes received, and an unfinished one up to the last multiple
    /// of the piece's length that it has reached. Keeps the rest.
    fn answer_due<'a>(
        &mut self,
        buffer: &'a mut Buffer,
        length: usize,
        spare: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let bytes = &buffer.space()[..length];
        let finished = memchr::memrchr(b'\n', bytes).map_or(0, |line_feed| line_feed + 1);
        // How long the unfinished message was before, and the last boundary that it has reached.
        let before = if finished > 0 { 0 } else { self.answered + self.unanswered.len() };
        let reached = before + length - finished;
        let boundary = reached - reached % self.piece;
        let is_cut = boundary > before;
        let due = if is_cut { finished + boundary - before } else { finished };
        if due == 0 {
            self.keep(length)?;
            self.unanswered.extend_from_slice(bytes);
            return Ok(&[]);
        }

        let mut end = self.unanswered.len() + due;
        let bytes = buffer.with_before(&self.unanswered, length);
        self.answered = 0;
        if is_cut {
            // An incomplete character at the boundary waits for its rest.
            let tail = incomplete_tail(&bytes[..end]);
            self.answered = boundary - tail;
            end -= tail;
        }
        // A new vector, not a cleared one: a client that waits with nothing unanswered must own no memory.
        self.unanswered = Vec::new();
        memory::reserve(&mut self.unanswered, bytes.len() - end)?;
        self.unanswered.extend_from_slice(&bytes[end..]);
        Ok(capitals(&mut bytes[..end], spare))
    }

    /// Reserves space for more of the unfinished message. It doubles up to what can wait, and never beyond.
    fn keep(&mut self, length: usize) -> io::Result<()> {
        let kept = self.unanswered.len();
        if kept + length <= self.unanswered.capacity() {
            return Ok(());
        }
        let doubled = (2 * kept).min(self.piece + MAX_CONTINUATION);
        memory::reserve(&mut self.unanswered, length.max(doubled.saturating_sub(kept)))
    }
}

/// The capitals of `bytes`: made in place, or in `spare` if one has another length.
fn capitals<'a>(bytes: &'a mut [u8], spare: &'a mut Vec<u8>) -> &'a [u8] {
    let done = make_capitals(bytes);
    if done == bytes.len() {
        return bytes;
    }
    spare.clear();
    spare.extend_from_slice(&bytes[..done]);
    append_capitals(&bytes[done..], spare);
    spare
}

/// Searches a stream for [`CLOSE_WORD`]. The word has no line feed, so it never spans two messages.
#[derive(Debug, Default)]
struct CloseWordSearch {
    /// The last bytes of the unfinished message so far, in which a word may have started; padded with zeros, which
    /// the word does not contain.
    tail: [u8; CloseWordSearch::TAIL],
}

impl CloseWordSearch {
    const TAIL: usize = CLOSE_WORD.len() - 1;

    /// Searches the stream's next bytes, the first `length` of the space of `buffer`; a close word may have started
    /// before them.
    fn find(&mut self, buffer: &mut Buffer, length: usize) -> Found {
        let bytes = buffer.with_before(&self.tail, length);
        let found = scan(bytes);

        self.tail.copy_from_slice(&bytes[bytes.len() - Self::TAIL..]);
        if let Some(line_feed) = memchr::memrchr(b'\n', &self.tail) {
            self.tail[..=line_feed].fill(0);
        }
        Found { close_word_end: found.close_word_end.map(|end| end - Self::TAIL), ..found }
    }
}

#[cfg(test)]
mod tests {
    use super::model::{converse, model, receive};
    use super::*;
    use proptest::prelude::*;

    /// Streams in which lines, complete and partial close words, and characters of every length are common.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "[a-zé€😀ß]{0,12}".prop_map(String::into_bytes),
            3 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            1 => Just(CLOSE_WORD.as_bytes().to_vec()),
            2 => (0..CLOSE_WORD.len()).prop_map(|end| CLOSE_WORD.as_bytes()[..end].to_vec()),
            2 => (0..CLOSE_WORD.len()).prop_map(|start| CLOSE_WORD.as_bytes()[start..].to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
    }

    fn positions(bytes: &[u8], at: &[prop::sample::Index]) -> Vec<usize> {
        at.iter().map(|index| index.index(bytes.len() + 1)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn every_split_gives_the_same_replies_and_verdict(
            bytes in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            prop_assert_eq!(converse(&bytes, &positions(&bytes, &cuts), &[]), model(&bytes, &[]));
        }

        #[test]
        fn quiet_gaps_only_answer_earlier(
            bytes in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            gaps in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let gaps = positions(&bytes, &gaps);
            prop_assert_eq!(converse(&bytes, &positions(&bytes, &cuts), &gaps), model(&bytes, &gaps));
        }

        #[test]
        fn single_bytes_give_the_same_as_the_whole(bytes in stream()) {
            let all: Vec<usize> = (0..bytes.len()).collect();
            prop_assert_eq!(converse(&bytes, &all, &[]), converse(&bytes, &[], &[]));
        }
    }

    /// How the memory for an unfinished message grows when it arrives in chunks of this length.
    fn capacities(chunk: usize) -> Vec<usize> {
        let (mut messages, mut replies) = (Messages::default(), Vec::new());
        let receive_one = |_| {
            let _ = receive(&mut messages, &vec![b'x'; chunk], &mut replies);
            messages.unanswered.capacity()
        };
        let mut capacities: Vec<usize> = (0..(PIECE - 1) / chunk).map(receive_one).collect();
        capacities.dedup();
        capacities
    }

    #[test]
    fn an_unfinished_message_takes_memory_as_it_grows() {
        assert_eq!(PIECE, 65_536, "what the manual says");
        for chunk in [1, 1000] {
            let capacities = capacities(chunk);
            assert!(capacities.len() < 24, "it moves too often: {capacities:?}");
            let most = *capacities.last().unwrap();
            assert!((PIECE - chunk..=PIECE + MAX_CONTINUATION).contains(&most), "{capacities:?}");
        }
    }

    #[test]
    fn a_message_that_ended_keeps_no_memory() {
        let (mut messages, mut replies) = (Messages::default(), Vec::new());
        for bytes in [&b"hel"[..], b"lo\n"] {
            assert_eq!(receive(&mut messages, bytes, &mut replies), Verdict::Open);
        }
        assert_eq!(messages.unanswered.capacity(), 0);
    }

    #[test]
    fn every_pair_of_cuts_finds_the_close_word() {
        let bytes = b"one\ntwo CLOSE SOCLOSE SOCKET three\nfour\n";
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (replies, verdict, count) = converse(bytes, &[first, second], &[]);
                // The closing message is answered up to its twentieth byte, wherever it was cut.
                assert_eq!(replies, b"ONE\nTWO CLOSE SOCLOSE SO", "cut at {first} and {second}");
                assert_eq!((verdict, count), (Verdict::Close, 1));
            }
        }
    }

    #[test]
    fn two_messages_do_not_close() {
        for bytes in [&b"CLOSE\nSOCKET\n"[..], b"CLOSE\n SOCKET\n", b"close socket\n", b"CLOSE  SOCKET"] {
            assert_eq!(converse(bytes, &[], &[]).1, Verdict::Open, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_message_is_answered_at_each_piece() {
        let mut messages = Messages::default();
        let mut replies = Vec::new();
        assert_eq!(receive(&mut messages, &vec![b'a'; PIECE - 1], &mut replies), Verdict::Open);
        assert!(replies.is_empty() && messages.is_pending());
        assert_eq!(receive(&mut messages, "aé".as_bytes(), &mut replies), Verdict::Open);
        assert_eq!(replies, vec![b'A'; PIECE]);
        assert_eq!(messages.count(), 0);
    }

    #[test]
    fn a_character_cut_by_a_gap_waits_for_its_rest() {
        let mut messages = Messages::default();
        let mut replies = Vec::new();
        assert_eq!(receive(&mut messages, b"caf\xc3", &mut replies), Verdict::Open);
        messages.pause(&mut replies);
        assert_eq!(replies, b"CAF");
        assert!(!messages.is_pending());
        assert_eq!(receive(&mut messages, b"\xa9", &mut replies), Verdict::Open);
        messages.pause(&mut replies);
        assert_eq!(replies, "CAFÉ".as_bytes());
    }
}
