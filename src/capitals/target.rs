//! The two ways to make capitals of text: in place, or appended to other bytes.

/// Text, and where its capitals go, from its start to its end.
pub(super) trait Target {
    fn bytes(&self) -> &[u8];

    /// Puts capitals in place of `length` bytes. Returns an error if it cannot.
    fn put(&mut self, at: usize, length: usize, capitals: &[u8]) -> Result<(), OtherLength>;
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
}
