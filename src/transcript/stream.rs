//! What one side has said so far and nobody has taken yet.

/// How a side's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// In order: nothing more comes.
    Eof,
    /// The connection was reset.
    Reset,
}

/// Bytes that were received, up to the stream's end where that has come.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    start: usize,
    pub(super) end: Option<End>,
}

impl Received {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        // Moved only when most of it is gone, so that many short lines cost no more than one long one.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn take(&mut self, length: usize) {
        self.start += length;
    }
}
