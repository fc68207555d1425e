//! The texts that the benchmarks send: `kernel` and `load` share this file.

/// The length of a text, in whole lines. Texts are sent again and again.
const LENGTH: usize = 256 * 1024;

pub(crate) struct Text {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Text {
    /// One line, repeated.
    pub(crate) fn of_line(name: &'static str, line: &str) -> Self {
        let bytes = line.repeat((LENGTH / line.len()).max(1)).into_bytes();
        Self { name, bytes }
    }

    /// The scripts that people write in, and bytes that are not text.
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

/// Bytes without a pattern, the same in every run (xorshift64*), and a line feed at the end.
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
