//! What one side has said so far and nobody has taken yet.

use crate::transcript::player::End;

/// Bytes that were received, up to the stream's end where that has come.
#[derive(Debug, Default)]
pub(in crate::transcript) struct Received {
    bytes: Vec<u8>,
    start: usize,
    pub(in crate::transcript) end: Option<End>,
}

impl Received {
    pub(in crate::transcript) fn extend(&mut self, bytes: &[u8]) {
        // Moved only when most of it is gone, so that many short lines cost no more than one long one.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(in crate::transcript) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(in crate::transcript) fn take(&mut self, length: usize) {
        self.start += length;
    }
}
