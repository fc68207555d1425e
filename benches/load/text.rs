//! The texts that are sent, and what comes back.

/// How much of a text is made: it is sent again and again, so a whole number of lines.
const LENGTH: usize = 256 * 1024;

/// What a server makes of what it receives.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Echo,
    /// Capitals of ASCII letters; all other bytes stay.
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

/// A text with its name.
pub(crate) struct Text {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Text {
    /// A text of one line, repeated.
    fn of_line(name: &'static str, line: &str) -> Self {
        let bytes = line.repeat((LENGTH / line.len()).max(1)).into_bytes();
        Self { name, bytes }
    }

    /// Short lines, as in a pipeline of commands.
    pub(crate) fn pipeline() -> Self {
        Self::of_line("pipeline", "get key:12345678\n")
    }

    /// Lines of `length` bytes, and a line feed each.
    pub(crate) fn of_length(length: usize) -> Self {
        Self::of_line("length", &("x".repeat(length) + "\n"))
    }

    /// The scripts that people write in, and what is no text at all.
    pub(crate) fn all() -> [Self; 5] {
        [
            Self::ascii(),
            Self::of_line(
                "latin",
                "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë.\n",
            ),
            Self::of_line("greek", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, και πάλι από την αρχή.\n"),
            Self::of_line("cyrillic", "Съешь же ещё этих мягких французских булок, да выпей чаю.\n"),
            Self { name: "random", bytes: random_bytes(LENGTH) },
        ]
    }

    pub(crate) fn ascii() -> Self {
        Self::of_line("ascii", "The quick brown fox jumps over the lazy dog, again and again and again.\n")
    }
}

/// Bytes without a pattern, the same in each run (xorshift64*). They end with a line feed.
fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        Some(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes())
    };
    std::iter::from_fn(next).flatten().take(length - 1).chain([b'\n']).collect()
}
