//! The two ways to make capitals of text: in place, or appended to other bytes.

use super::block::BLOCK;

/// Text, and where its capitals go, from its start to its end.
pub(super) trait Target {
    fn bytes(&self) -> &[u8];

    /// Puts capitals in place of `length` bytes. Returns an error if it cannot.
    fn put(&mut self, at: usize, length: usize, capitals: &[u8]) -> Result<(), OtherLength>;

    /// Puts the first `length` bytes of a block in place of as many.
    fn put_piece(&mut self, at: usize, length: usize, capitals: &[u8; BLOCK]);
}

/// Capitals that have another length than their letters.
#[derive(Debug)]
pub(super) struct OtherLength;

/// Text that is replaced by its capitals, as long as they have the same length.
pub(super) struct InPlace<'a>(pub(super) &'a mut [u8]);

impl Target for InPlace<'_> {
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.0
    }

    #[inline(always)]
    fn put(&mut self, at: usize, length: usize, capitals: &[u8]) -> Result<(), OtherLength> {
        if capitals.len() != length {
            return Err(OtherLength);
        }
        self.0[at..at + length].copy_from_slice(capitals);
        Ok(())
    }

    #[inline(always)]
    fn put_piece(&mut self, at: usize, length: usize, capitals: &[u8; BLOCK]) {
        self.0[at..at + length].copy_from_slice(&capitals[..length]);
    }
}

/// Text whose capitals are appended to `out`.
pub(super) struct Appended<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
}

impl Target for Appended<'_> {
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[inline(always)]
    fn put(&mut self, _at: usize, _length: usize, capitals: &[u8]) -> Result<(), OtherLength> {
        self.out.extend_from_slice(capitals);
        Ok(())
    }

    #[inline(always)]
    fn put_piece(&mut self, _at: usize, length: usize, capitals: &[u8; BLOCK]) {
        // To copy a fixed length takes two instructions, and to copy another one a call.
        let end = self.out.len() + length;
        self.out.extend_from_slice(capitals);
        self.out.truncate(end);
    }
}
