//! The checkers: separate observers of a run. They read stores and what engines say, never what engines think.
//!
//! | file | what it holds against a run |
//! | --- | --- |
//! | `known` | nothing: it remembers which node knew what, and when |
//! | `agree` | honest nodes whose sets, digests or words differ long after the faults |
//! | `forged` | events in a store that nobody signed |
//! | `durable` | acknowledged events that are gone; nodes that don't start again |
//! | `view` | threads that look different to nodes with the same events, or to the oracle |
//! | `complete` | a node that says it equals more peers than can be true |
//! | `bounds` | anything larger than its bound |
//! | `conduct` | honest nodes that others ban, or that relay what is invalid |
//!
//! Each judges plain data, so that a test can hand it a made-up violation.

mod agree;
mod bounds;
mod complete;
mod conduct;
mod durable;
mod forged;
mod known;
#[cfg(test)]
mod tests;
mod view;

pub(super) use agree::disagreement;
pub(super) use complete::{Claim, doubt};
pub(super) use forged::forgery;
pub(super) use known::Known;
pub(super) use view::{Seen, difference};

use bounds::Bounds;
use conduct::Conduct;
use durable::Durable;

/// Violations that a run keeps: the first ones tell.
const VIOLATIONS_MAX: usize = 20;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker saw it.
    pub checker: &'static str,
    /// When, virtual milliseconds.
    pub at_ms: u64,
    /// What it saw.
    pub what: String,
}

/// What one checker has found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Violation>);

impl Findings {
    pub(super) fn add(&mut self, checker: &'static str, at_ms: u64, what: String) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation { checker, at_ms, what });
        }
    }
}

/// All checkers of a run.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) known: Known,
    pub(super) durable: Durable,
    pub(super) conduct: Conduct,
    pub(super) bounds: Bounds,
    pub(super) found: Findings,
}

impl Checks {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            known: Known::new(nodes),
            durable: Durable::default(),
            conduct: Conduct::default(),
            bounds: Bounds::default(),
            found: Findings::default(),
        }
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        let all = [self.found, self.durable.found, self.conduct.found, self.bounds.found];
        let mut violations: Vec<Violation> = all.into_iter().flat_map(|found| found.0).collect();
        violations.sort_by_key(|violation| violation.at_ms);
        violations
    }
}
