//! Line endings of what is sent.

use clap::ValueEnum;

/// A line ending to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Eol {
    /// Line feed
    Lf,
    /// Carriage return and line feed
    Crlf,
    /// Carriage return
    Cr,
    /// Nothing, for servers that take each recv as a message
    None,
}

impl Eol {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::Cr => b"\r",
            Self::None => b"",
        }
    }
}

/// Rewrites the line endings of a stream. In the input, a line ends with LF or CRLF; a last line without an
/// ending stays without one.
#[derive(Debug)]
pub(super) struct EolWriter {
    /// `None` keeps the input's.
    eol: Option<Eol>,
    /// A carriage return that may belong to a line feed.
    held_return: bool,
}

impl EolWriter {
    pub(super) fn new(eol: Option<Eol>) -> Self {
        Self { eol, held_return: false }
    }

    /// Rewrites the stream's next bytes.
    pub(super) fn rewrite(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(eol) = self.eol else {
            return bytes;
        };
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 2);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, is_line) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if self.held_return && !(is_line && text.is_empty()) {
                out.push(b'\r');
            }
            self.held_return = false;
            if is_line {
                out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                out.extend_from_slice(eol.bytes());
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

    fn rewrite(eol: Option<Eol>, pieces: &[&[u8]]) -> Vec<u8> {
        let mut writer = EolWriter::new(eol);
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| writer.rewrite(piece.to_vec())).collect();
        out.extend(writer.finish());
        out
    }

    #[test]
    fn rewrites_both_ends_of_line() {
        let input: &[u8] = b"a\nb\r\n\n\r\nc\r\r\nd\re\r";
        assert_eq!(rewrite(None, &[input]), input);
        assert_eq!(rewrite(Some(Eol::Lf), &[input]), b"a\nb\n\n\nc\r\nd\re\r");
        assert_eq!(rewrite(Some(Eol::Crlf), &[input]), b"a\r\nb\r\n\r\n\r\nc\r\r\nd\re\r");
        assert_eq!(rewrite(Some(Eol::Cr), &[input]), b"a\rb\r\r\rc\r\rd\re\r");
        assert_eq!(rewrite(Some(Eol::None), &[input]), b"abc\rd\re\r");
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same(
            text in "[a\r\n]{0,40}",
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            eol in prop::sample::select(vec![None, Some(Eol::Lf), Some(Eol::Crlf), Some(Eol::Cr), Some(Eol::None)]),
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
