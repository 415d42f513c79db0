//! Purges of entries, said in a log and carried out there.

use fastrand::Rng;
use serde_json::json;

use super::World;
use super::stories::{entry, event, id};

/// What a purge of entries of a log is to leave.
pub struct Purge {
    pub log: &'static str,
    /// The entries below go; a whole number of bundles.
    pub upto: u64,
    seed: u64,
}

impl Purge {
    pub fn new(log: &'static str, upto: u64, seed: u64) -> Self {
        Self { log, upto, seed }
    }

    /// Says in the log that the entries below `upto` go. The index of the event.
    pub fn say(&self, world: &mut World) -> u64 {
        let index = world.reader(self.log).size().unwrap();
        let body = json!({"what": "entries", "first": 0, "last": self.upto - 1, "policy": "alpha/1"});
        let said = event(id(999_000, index), "purge", 999_000 + index, body);
        world.publish(&[(self.log, entry(None, &[said]))]);
        index
    }

    /// Removes them, but for some at random, and what is never removed.
    pub fn carry_out(&self, world: &World) {
        let pruned = world.prune(self.log, self.upto, &|index, bytes| self.keeps(index, bytes));
        assert_eq!(pruned.first, self.upto);
        assert!(pruned.kept > 0 && pruned.entries > 0, "{pruned:?}");
    }

    fn keeps(&self, index: u64, bytes: &[u8]) -> bool {
        let text = std::str::from_utf8(bytes).unwrap();
        let is_permanent = text.contains("\"erasure\"") || text.contains("\"purge\"");
        is_permanent || Rng::with_seed(self.seed ^ index << 20).u8(..) < 30
    }
}
