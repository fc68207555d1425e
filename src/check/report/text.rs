//! The report for people.

use super::{Case, Format, Outcome, Totals};
use crate::transcript::ReportText;

pub(super) struct Text {
    pub(super) updates: bool,
    pub(super) text: ReportText,
}

impl Format for Text {
    fn case(&mut self, case: &Case<'_>) -> String {
        let word = match case.outcome {
            Outcome::Passed if self.updates => "SAME",
            Outcome::Passed => "PASS",
            Outcome::Updated(_) => "UPDATED",
            Outcome::Diverged(_)
            | Outcome::TimedOut(_)
            | Outcome::NotDone(_)
            | Outcome::NotConnected(_)
            | Outcome::NotOpened(_)
            | Outcome::NotWritten(_) => return self.text.failure(case.headline, case.outcome.diff()),
        };
        self.text.success(word, case.headline) + &self.text.diff(case.outcome.diff())
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
