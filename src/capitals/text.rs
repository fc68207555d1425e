//! The two ways in which text becomes capitals: where it is, or elsewhere.

/// Text whose capitals are made from its start to its end.
pub(super) trait Text {
    fn bytes(&self) -> &[u8];

    /// Puts capitals in place of so many bytes, where that can be done.
    ///
    /// # Errors
    /// Where it cannot.
    fn put(&mut self, at: usize, length: usize, capitals: &[u8]) -> Result<(), OtherLength>;
}

/// Capitals have another length than their letters.
#[derive(Debug)]
pub(super) struct OtherLength;

/// Text whose capitals go where it is, as long as they have the same length.
pub(super) struct InPlace<'a>(pub(super) &'a mut [u8]);

impl Text for InPlace<'_> {
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

/// Text whose capitals are appended to others.
pub(super) struct Appended<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
}

impl Text for Appended<'_> {
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
