//! The Test Anything Protocol, see <https://testanything.org/tap-version-13-specification.html>.

use std::fmt::Write as _;

use super::{Case, Format};

pub(super) struct Tap;

impl Format for Tap {
    fn begin(&mut self, count: usize) -> String {
        format!("TAP version 13\n1..{count}\n")
    }

    fn case(&mut self, case: &Case<'_>) -> String {
        let Case { number, outcome, headline, .. } = case;
        // A hash starts a directive.
        let path = case.path.replace('#', "\\#");
        let mut text = if outcome.is_failure() {
            format!("not ok {number} - {path}\n  ---\n  message: {}\n", quoted(headline))
        } else if outcome.diff().is_empty() {
            return format!("ok {number} - {path}\n");
        } else {
            format!("ok {number} - {path}\n  ---\n")
        };
        if !outcome.diff().is_empty() {
            text += "  diff: |\n";
            for line in outcome.diff() {
                let _ = writeln!(text, "    {line}");
            }
        }
        text + "  ...\n"
    }
}

/// A line of text as a double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
