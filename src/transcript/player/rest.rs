//! After a mismatch: reads the rest of the line that is wrong, so that the report shows `hello`, not `h`.

use std::time::Duration;

use super::Step;
use super::script::Script;
use crate::transcript::divergence::{Divergence, Fault};

/// This much silence ends an incomplete line.
const REST_OF_LINE: Duration = Duration::from_millis(500);

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
            let until = self.since.max(script.lane.last_received) + REST_OF_LINE;
            if !is_complete && now < until {
                return Step::Wait(Some(until));
            }
            *received = line.to_vec();
        }
        Step::Done(Err(Divergence { index: script.cursor, fault: self.fault.clone() }))
    }
}
