//! Results for people to read: one line each, and a diff after what failed.

use std::fmt::Write as _;

use super::diff::DiffLine;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[m";

/// How results are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportText {
    pub(crate) has_colors: bool,
}

impl ReportText {
    /// The line of a success: what was done, and to which file.
    pub(crate) fn success(self, word: &str, headline: &str) -> String {
        let (green, end) = self.color(GREEN);
        format!("{green}{word}{end} {headline}\n")
    }

    /// The lines of a failure.
    pub(crate) fn failure(self, headline: &str, diff: &[DiffLine]) -> String {
        let (red, end) = self.color(RED);
        format!("{red}FAIL{end} {headline}\n") + &self.diff(diff)
    }

    /// The lines of a diff.
    pub(crate) fn diff(self, diff: &[DiffLine]) -> String {
        let mut text = String::new();
        for line in diff {
            let (color, end) = match line {
                DiffLine::Expected(_) => self.color(RED),
                DiffLine::Received(_) => self.color(GREEN),
                DiffLine::Label(_) | DiffLine::Context(_) | DiffLine::Note(_) => ("", ""),
            };
            let _ = writeln!(text, "{color}{line}{end}");
        }
        text
    }

    fn color(self, color: &'static str) -> (&'static str, &'static str) {
        if self.has_colors { (color, PLAIN) } else { ("", "") }
    }
}
