//! How the lines that are sent end.

/// How a line that is sent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eol {
    /// As it does in the input.
    AsIs,
    /// With a line feed.
    Lf,
    /// With a carriage return and a line feed.
    Crlf,
    /// With nothing.
    None,
}

impl Eol {
    /// What stands at the end of a line that has no end of its own, as one typed at a prompt.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::AsIs | Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::None => b"",
        }
    }
}

/// Rewrites the ends of lines in a stream. An end of line in the input is a line feed, with or without a
/// carriage return before it; a last line without one stays without.
#[derive(Debug)]
pub(super) struct EolWriter {
    eol: Eol,
    /// A carriage return that may belong to a line feed.
    held_return: bool,
}

impl EolWriter {
    pub(super) fn new(eol: Eol) -> Self {
        Self { eol, held_return: false }
    }

    /// Rewrites the stream's next bytes.
    pub(super) fn rewrite(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.eol == Eol::AsIs {
            return bytes;
        }
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 2);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, is_line) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if self.held_return && !(is_line && text.is_empty()) {
                out.push(b'\r');
            }
            self.held_return = false;
            if is_line {
                out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                out.extend_from_slice(self.eol.bytes());
            } else if let Some(text) = text.strip_suffix(b"\r") {
                out.extend_from_slice(text);
                self.held_return = true;
            } else {
                out.extend_from_slice(text);
            }
        }
        out
    }

    /// What is left at the end of the stream.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.held_return) { b"\r".to_vec() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewrite(eol: Eol, pieces: &[&[u8]]) -> Vec<u8> {
        let mut writer = EolWriter::new(eol);
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| writer.rewrite(piece.to_vec())).collect();
        out.extend(writer.finish());
        out
    }

    #[test]
    fn rewrites_both_ends_of_line() {
        let input: &[u8] = b"a\nb\r\n\n\r\nc\r\r\nd\re\r";
        assert_eq!(rewrite(Eol::AsIs, &[input]), input);
        assert_eq!(rewrite(Eol::Lf, &[input]), b"a\nb\n\n\nc\r\nd\re\r");
        assert_eq!(rewrite(Eol::Crlf, &[input]), b"a\r\nb\r\n\r\n\r\nc\r\r\nd\re\r");
        assert_eq!(rewrite(Eol::None, &[input]), b"abc\rd\re\r");
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same(
            text in "[a\r\n]{0,40}",
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            eol in prop::sample::select(vec![Eol::AsIs, Eol::Lf, Eol::Crlf, Eol::None]),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(rewrite(eol, &pieces), rewrite(eol, &[bytes]));
        }
    }
}
