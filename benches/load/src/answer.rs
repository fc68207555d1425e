//! What a server replies.

/// What a server makes of the bytes it receives.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Echo,
    /// ASCII letters in capitals, all other bytes unchanged.
    AsciiCapitals,
    Capitals,
}

impl Answer {
    /// The reply to `bytes`.
    pub(crate) fn to(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Echo => bytes.to_vec(),
            Self::AsciiCapitals => bytes.to_ascii_uppercase(),
            Self::Capitals => {
                let mut capitals = Vec::new();
                for chunk in bytes.utf8_chunks() {
                    capitals.extend_from_slice(chunk.valid().to_uppercase().as_bytes());
                    capitals.extend_from_slice(chunk.invalid());
                }
                capitals
            }
        }
    }
}
