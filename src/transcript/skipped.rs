//! What a skip has taken, for reports.

use memchr::{memchr, memchr_iter, memrchr};

/// How many of the lines are kept: the last ones.
const KEPT: usize = 3;

/// How much of a line is kept, in bytes: more than is shown, so that a secret at the end of that is kept in full.
const KEPT_BYTES: usize = 16 * 1024;

/// The lines that an `S ...` or `C ...` has taken: how many, and the last ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(super) lines: usize,
    pub(super) last: Vec<Vec<u8>>,
    /// Whether the last line has no line feed yet.
    is_open: bool,
}

impl Skipped {
    /// Takes lines. The last one may go on in the next call.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.is_open {
            let (line, after) = rest.split_at(end_of_line(rest));
            keep(self.last.last_mut(), line);
            self.is_open = !line.ends_with(b"\n");
            rest = after;
        }
        if rest.is_empty() {
            return;
        }
        self.is_open = !rest.ends_with(b"\n");
        self.lines += memchr_iter(b'\n', rest).count() + usize::from(self.is_open);
        let mut start = rest.len();
        for _ in 0..KEPT {
            start = memrchr(b'\n', &rest[..start.saturating_sub(1)]).map_or(0, |line_feed| line_feed + 1);
        }
        while start < rest.len() {
            let end = start + end_of_line(&rest[start..]);
            self.add(&rest[start..end]);
            start = end;
        }
    }

    fn add(&mut self, line: &[u8]) {
        if self.last.len() < KEPT {
            self.last.push(Vec::new());
        } else {
            self.last.rotate_left(1);
        }
        if let Some(last) = self.last.last_mut() {
            last.clear();
        }
        keep(self.last.last_mut(), line);
    }
}

fn end_of_line(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |line_feed| line_feed + 1)
}

fn keep(kept: Option<&mut Vec<u8>>, bytes: &[u8]) {
    if let Some(kept) = kept {
        kept.extend_from_slice(&bytes[..bytes.len().min(KEPT_BYTES - kept.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_depend_on_how_lines_are_cut() {
        let text = b"a\n\nbcd\ne\n\nfg\nh";
        for lines in 0..text.len() {
            let text = &text[..lines];
            let pieces: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
            let last: Vec<_> = pieces.iter().rev().take(KEPT).rev().map(|line| line.to_vec()).collect();
            for size in 1..=text.len() {
                let mut skipped = Skipped::default();
                text.chunks(size).for_each(|chunk| skipped.take(chunk));
                assert_eq!((skipped.lines, &skipped.last), (pieces.len(), &last), "{size}");
            }
        }
    }

    #[test]
    fn keeps_the_start_of_a_long_line() {
        let mut skipped = Skipped::default();
        for _ in 0..5 {
            skipped.take(&[b'x'; KEPT_BYTES / 2]);
        }
        skipped.take(b"\n");
        assert_eq!((skipped.lines, skipped.last), (1, vec![vec![b'x'; KEPT_BYTES]]));
    }
}
