//! After a mismatch: reads the rest of the line that is wrong, so that the report shows `hello`, not `h`.

use std::time::Duration;

use super::Step;
use super::script::Script;
use crate::transcript::divergence::Fault;

/// This much silence ends an incomplete line.
const SILENCE: Duration = Duration::from_millis(500);

/// The longest that an incomplete line is read, whatever arrives.
const LONGEST: Duration = Duration::from_secs(1);

/// What is wrong with the item at the cursor. Nothing is sent any more, and the cursor does not move.
#[derive(Debug)]
pub(super) struct Rest {
    fault: Fault,
    /// When the mismatch was found.
    since: Duration,
}

impl Rest {
    pub(super) fn new(fault: Fault, now: Duration) -> Self {
        Self { fault, since: now }
    }

    /// Waits for the rest of the line, if one is wrong, and then gives the result.
    pub(super) fn read<T>(&mut self, script: &Script, now: Duration) -> Step<T> {
        if let Fault::Differs { received } | Fault::Unexpected { received } = &mut self.fault {
            let (line, is_complete) = script.line();
            let silent = self.since.max(script.lane.last_received) + SILENCE;
            let until = silent.min(self.since + LONGEST);
            if !is_complete && now < until {
                return Step::Wait(Some(until));
            }
            *received = line.to_vec();
        }
        Step::Done(Err(script.diverged(script.cursor, self.fault.clone())))
    }
}
