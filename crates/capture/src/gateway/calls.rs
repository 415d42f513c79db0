//! Calls of tools in one decision: what the model asked for, what came back, and what came back before.
//!
//! A request repeats results whenever it is sent again, after an error say or because its answer was lost; they are recorded
//! once. What ties a result to the call that asked for it is the wire's id of the call, where it has one. Some servers give the
//! same ids in every answer: a call that waits for its result therefore counts before a result that was seen.

use crate::gateway::call::Moment;
use crate::wire::{ToolCallFact, ToolResult};
use bytes::Bytes;
use inferlog_record::Id;
use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Calls without result, results, and kinds of calls that a decision remembers, each.
const CALLS_MAX: usize = 4_096;
/// Bytes of the calls without result that a decision remembers: their ids, names and arguments. A result of one that is not
/// remembered is recorded with the arguments that its request repeats.
const ASKED_BYTES_MAX: usize = 1 << 20;
/// Decisions whose calls are remembered after their exchanges have ended.
const LEDGERS_MAX: usize = 1_024;

type Hash = [u8; 32];

/// The calls of recent decisions: whoever names one by its id goes on with them, whether its exchanges joined before or not.
pub(crate) struct Ledgers(Mutex<LruCache<Id, Arc<Mutex<Calls>>>>);

impl Default for Ledgers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::MIN.saturating_add(LEDGERS_MAX - 1))))
    }
}

impl Ledgers {
    /// Remembers the calls of a decision.
    pub(crate) fn keep(&self, decision: Id, calls: &Arc<Mutex<Calls>>) {
        self.0.lock().put(decision, calls.clone());
    }

    /// The calls of a decision, as far as they are remembered.
    pub(crate) fn of(&self, decision: Id) -> Arc<Mutex<Calls>> {
        self.0.lock().get(&decision).cloned().unwrap_or_default()
    }
}

/// The calls of one decision.
#[derive(Default)]
pub(crate) struct Calls {
    /// The latest model call that has ended.
    pub(crate) latest: Option<Id>,
    /// Asked for and without result so far, in the order in which they were asked for.
    asked: VecDeque<AskedCall>,
    /// Results that were recorded: by the call's id, and by all that the request says of them.
    known: Recent<Known>,
    /// How often a tool was called with the same arguments.
    attempts: Recent<u32>,
    /// Results so far.
    count: u64,
}

/// A call of a tool that the model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedCall {
    pub(crate) call: String,
    pub(crate) name: String,
    pub(crate) arguments: Bytes,
    /// The model call that asked for it, and when it had answered.
    pub(crate) inference: Id,
    pub(crate) at: Moment,
}

impl AskedCall {
    fn bytes(&self) -> usize {
        self.call.len() + self.name.len() + self.arguments.len()
    }
}

/// A result that was recorded.
#[derive(Clone, Copy)]
struct Known {
    /// Its event.
    event: Id,
    /// The model call that asked for it, if it is known.
    inference: Option<Id>,
    /// Whether it came while the answer that asked for it was still on its way.
    is_early: bool,
}

/// What a result is in its decision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// One that came before: the event that records it, and the model call that asked for it, if it is known.
    Again { event: Id, inference: Option<Id> },
    /// A new one.
    New(NewResult),
}

/// A result that is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewResult {
    /// The call that asked for it, if the decision knows of it.
    pub(crate) asked: Option<AskedCall>,
    /// Which call of this tool with these arguments it is, from 1.
    pub(crate) attempt: u32,
    /// Its place among the decision's tool calls, from 1.
    pub(crate) seq: u64,
    keys: Vec<Hash>,
    same: Hash,
}

impl Calls {
    /// Whether the model call asked for something that no result came for.
    pub(crate) fn is_waiting(&self, inference: Id) -> bool {
        self.asked.iter().any(|asked| asked.inference == inference)
    }

    /// Remembers a call that the model asks for.
    pub(crate) fn ask(&mut self, call: &ToolCallFact, inference: Id, at: Moment) {
        if let Some(known) = by_id(&call.call).and_then(|key| self.known.get_mut(&key))
            && std::mem::take(&mut known.is_early)
        {
            return;
        }
        let bytes = call.call.len() + call.name.len() + call.arguments.len();
        if bytes > ASKED_BYTES_MAX {
            return;
        }
        self.make_room(bytes);
        // A slice would keep the whole answer in memory.
        let arguments = Bytes::copy_from_slice(&call.arguments);
        self.asked.push_back(AskedCall {
            call: call.call.clone(),
            name: call.name.clone(),
            arguments,
            inference,
            at,
        });
    }

    /// Forgets the oldest calls without result, so that one more of so many bytes has room.
    fn make_room(&mut self, bytes: usize) {
        let mut left = ASKED_BYTES_MAX - bytes;
        let fits = |asked: &&AskedCall| {
            let after = left.checked_sub(asked.bytes());
            left = after.unwrap_or(left);
            after.is_some()
        };
        let kept = self.asked.iter().rev().take(CALLS_MAX - 1).take_while(fits).count();
        self.asked.drain(..self.asked.len() - kept);
    }

    /// Counts a result, to be recorded as `event` if it is new. With `is_crowded` another exchange of the decision is under way.
    pub(crate) fn result(&mut self, result: &ToolResult, event: Id, is_crowded: bool) -> Counted {
        let repeated = result.asked.as_ref();
        let (name, arguments) = repeated.map_or(("", &[][..]), |call| (&call.name, &call.arguments));
        let whole = hash([result.call.as_bytes(), name.as_bytes(), arguments, &result.content]);
        let seen = self.known.get(&whole).copied();
        let waiting = self.waiting(result);
        let is_other = |at: usize| repeated.is_some() && self.asked[at].arguments != arguments;
        let again = match (waiting, seen) {
            // What waits has other arguments than what came back, and exactly this came back before.
            (Some(at), Some(seen)) if is_other(at) => Some(seen),
            (Some(_), _) => None,
            (None, Some(seen)) => Some(seen),
            (None, None) => by_id(&result.call).and_then(|key| self.known.get(&key).copied()),
        };
        if let Some(Known { event, inference, .. }) = again {
            return Counted::Again { event, inference };
        }
        let asked = waiting.and_then(|at| self.asked.remove(at));
        if !result.call.is_empty() {
            // The answer of a call that was asked for again, because its request was sent again, is one answer.
            self.asked.retain(|other| other.call != result.call);
        }
        let same = match &asked {
            Some(asked) => hash([asked.name.as_bytes(), &asked.arguments]),
            None => hash([name.as_bytes(), arguments]),
        };
        let attempt = self.attempts.get(&same).copied().unwrap_or(0).saturating_add(1);
        self.attempts.insert(same, attempt);
        self.count += 1;
        let is_early = asked.is_none() && is_crowded;
        let known = Known { event, inference: asked.as_ref().map(|asked| asked.inference), is_early };
        let keys: Vec<Hash> = std::iter::once(whole).chain(by_id(&result.call)).collect();
        keys.iter().for_each(|key| self.known.insert(*key, known));
        Counted::New(NewResult { asked, attempt, seq: self.count, keys, same })
    }

    /// Takes back results that were counted and could not be recorded, the latest first.
    pub(crate) fn undo(&mut self, results: Vec<NewResult>) {
        for result in results.into_iter().rev() {
            result.keys.iter().for_each(|key| self.known.remove(key));
            if let Some(attempt) = self.attempts.get_mut(&result.same) {
                *attempt = attempt.saturating_sub(1);
            }
            self.count = self.count.saturating_sub(1);
            self.asked.extend(result.asked);
        }
    }

    /// The call that a result is the result of: of those that fit, one that the latest answer asked for, the first of these.
    fn waiting(&self, result: &ToolResult) -> Option<usize> {
        let repeated = result.asked.as_ref();
        let fits = |asked: &AskedCall| match (result.call.as_str(), repeated) {
            ("", None) => asked.call.is_empty(),
            ("", Some(call)) => asked.call.is_empty() && asked.name == call.name,
            (call, _) => asked.call == call,
        };
        let fitting = || self.asked.iter().enumerate().filter(|(_, asked)| fits(asked));
        let latest = fitting().next_back()?.1.inference;
        let of_latest = || fitting().filter(|(_, asked)| asked.inference == latest);
        let same = repeated.and_then(|call| of_latest().find(|(_, asked)| asked.arguments == call.arguments));
        same.or_else(|| of_latest().next()).map(|(at, _)| at)
    }
}

fn by_id(call: &str) -> Option<Hash> {
    (!call.is_empty()).then(|| hash([call.as_bytes()]))
}

/// A digest of parts; parts of other lengths give another.
fn hash<const N: usize>(parts: [&[u8]; N]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What was noted last, by key: at most [`CALLS_MAX`].
struct Recent<T> {
    notes: HashMap<Hash, T>,
    order: VecDeque<Hash>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { notes: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    fn get(&self, key: &Hash) -> Option<&T> {
        self.notes.get(key)
    }

    fn get_mut(&mut self, key: &Hash) -> Option<&mut T> {
        self.notes.get_mut(key)
    }

    fn insert(&mut self, key: Hash, note: T) {
        if self.notes.insert(key, note).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > CALLS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.notes.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Hash) {
        if self.notes.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests;
