//! The report for people.

use std::fmt::Write as _;

use super::{Case, Format, Outcome, Totals};
use crate::transcript::DiffLine;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[m";

pub(super) struct Text {
    pub(super) updates: bool,
    pub(super) color: bool,
}

impl Text {
    fn color(&self, color: &'static str) -> (&'static str, &'static str) {
        if self.color { (color, PLAIN) } else { ("", "") }
    }
}

impl Format for Text {
    fn case(&mut self, case: &Case<'_>) -> String {
        let (word, color) = match case.outcome {
            Outcome::Passed if self.updates => ("SAME", GREEN),
            Outcome::Passed => ("PASS", GREEN),
            Outcome::Updated => ("UPDATED", GREEN),
            Outcome::Diverged(_)
            | Outcome::TimedOut(_)
            | Outcome::Conflict(_)
            | Outcome::NotDone(_)
            | Outcome::NotConnected(_)
            | Outcome::NotOpened(_)
            | Outcome::NotWritten(_) => ("FAIL", RED),
        };
        let (color, end) = self.color(color);
        let mut text = format!("{color}{word}{end} {}\n", case.headline);
        for line in case.outcome.diff() {
            let (color, end) = match line {
                DiffLine::Expected(_) => self.color(RED),
                DiffLine::Received(_) => self.color(GREEN),
                DiffLine::Label(_) | DiffLine::Context(_) | DiffLine::Note(_) => ("", ""),
            };
            let _ = writeln!(text, "{color}{line}{end}");
        }
        text
    }

    fn end(&mut self, totals: &Totals) -> String {
        let Totals { reported, failed, updated, .. } = totals;
        if self.updates {
            format!("{updated} updated, {} unchanged, {failed} failed\n", reported - failed - updated)
        } else {
            format!("{} passed, {failed} failed\n", reported - failed)
        }
    }
}
