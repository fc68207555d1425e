//! What went wrong with the item at the cursor, as it is reported.

use super::Script;
use crate::transcript::compare::LONGEST_LINE;
use crate::transcript::divergence::{Divergence, Fault};
use crate::transcript::format::Item;
use crate::transcript::player::End;

impl Script {
    /// The line that the item at the cursor does not match, and whether it is complete.
    pub(in crate::transcript::player) fn line(&self) -> (&[u8], bool) {
        let input = self.lane.input();
        let same = match self.item() {
            // With several connections, the item may be ours.
            Some(item) if item.side() == self.own() => 0,
            Some(Item::Literal(_, literal)) => literal.iter().zip(input).take_while(|(a, b)| a == b).count(),
            Some(Item::Template(..)) => self.lane.scan.same(input),
            _ => 0,
        };
        let (line, is_complete) = self.lane.line(same);
        (line, is_complete || input.len() >= LONGEST_LINE)
    }

    pub(super) fn differs(&self) -> Fault {
        Fault::Differs { received: self.line().0.to_vec() }
    }

    pub(in crate::transcript::player) fn unexpected(&self) -> Fault {
        Fault::Unexpected { received: self.line().0.to_vec() }
    }

    /// What went wrong with an item, as it is reported.
    pub(in crate::transcript::player) fn diverged(&self, index: usize, fault: Fault) -> Divergence {
        let is_skipping = index == self.cursor && self.lane.is_skipping();
        Divergence {
            index,
            connection: self.lane.connection,
            fault,
            skipped: is_skipping.then(|| Box::new(self.lane.skipped.clone())),
            variables: Box::new(self.variables.clone()),
        }
    }

    /// The fault of a stream that ended too soon, after part of a line.
    pub(in crate::transcript::player) fn ended_early(&self, received: Vec<u8>) -> Fault {
        match self.lane.end {
            Some(End::Reset) => Fault::Reset { received },
            Some(End::Eof) | None => Fault::ClosedEarly { received },
        }
    }
}
