//! What is stated of one log: how far it is complete, and what others vouch for.

use inferlog_record::Timestamp;
use serde::Serialize;

use super::KeySource;

/// What is stated of one log. A cosignature or a timestamp of a checkpoint says that its first entries existed then, in this
/// order; of later ones it says nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Statement {
    /// The log is complete up to this size: no fault was found, and a known key signed the checkpoint. That nothing was cut off
    /// after it, only what is remembered elsewhere can show. `None` if it is not.
    pub complete_to: Option<u64>,
    /// The newest cosignature of each witness whose key the reader gave, newest first.
    pub cosigned: Vec<Cosigned>,
    /// Witnesses that cosigned and whose keys the reader did not give: unchecked.
    pub cosigned_unchecked: Vec<String>,
    /// The newest timestamp of each authority, newest first.
    pub timestamped: Vec<Timestamped>,
    /// The reader's policy, if one was given.
    pub quorum: Option<Quorum>,
    /// The newest time that somebody else vouches for, and for how many entries.
    pub evidence: Option<Evidence>,
    /// When the newest entry says that it was logged: the log's own word.
    pub newest_entry: Option<Timestamp>,
    /// When this was verified, if the caller said.
    pub verified_at: Option<Timestamp>,
    /// Nanoseconds from the newest evidence of time to [`Statement::verified_at`]: of others, else the log's own word.
    pub age_ns: Option<u64>,
}

/// A witness cosigned a checkpoint (c2sp.org/tlog-cosignature): it was the largest that it had seen of this log, and consistent
/// with all before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    /// The witness's verifier key.
    pub by: String,
    /// When, by its clock.
    pub at: Timestamp,
    /// Entries under the checkpoint.
    pub size: u64,
}

/// An authority stamped a checkpoint (RFC 3161).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timestamped {
    /// The subject of its certificate.
    pub by: String,
    /// The time it stamped.
    pub at: Timestamp,
    /// How far that may be off, either way, nanoseconds, if it says.
    pub accuracy_ns: Option<u64>,
    /// The authority's number of it, hexadecimal.
    pub serial: String,
    /// The policy it was made under, an object identifier.
    pub policy: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Whether its certificate leads to a root that the reader gave; otherwise the name is a claim.
    pub is_trusted: bool,
}

/// Whether the cosignatures satisfy the reader's policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// The witness or group that must be satisfied.
    pub name: String,
    /// The largest checkpoint that satisfies it; `None` if none does.
    pub met_at: Option<u64>,
    /// Whether the checkpoint that was verified does.
    pub is_met: bool,
}

/// A time that somebody other than the log vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// For how many entries.
    pub size: u64,
}

impl Statement {
    /// Fills in what follows from the rest.
    pub(crate) fn conclude(&mut self, now: Option<Timestamp>) {
        self.cosigned.sort_by(|a, b| (b.at, &a.by).cmp(&(a.at, &b.by)));
        self.timestamped.sort_by(|a, b| (b.at, &a.by).cmp(&(a.at, &b.by)));
        self.cosigned_unchecked.sort();
        self.cosigned_unchecked.dedup();
        let cosigned = self.cosigned.first().map(|c| Evidence { by: c.by.clone(), at: c.at, size: c.size });
        let stamped = self.timestamped.iter().find(|stamp| stamp.is_trusted);
        let stamped = stamped.map(|t| Evidence { by: t.by.clone(), at: t.at, size: t.size });
        self.evidence = cosigned.into_iter().chain(stamped).max_by_key(|evidence| evidence.at);
        self.verified_at = now;
        let newest = self.evidence.as_ref().map(|evidence| evidence.at).or(self.newest_entry);
        self.age_ns = now.zip(newest).map(|(now, newest)| now.0.saturating_sub(newest.0));
    }

    /// Lines for people; `size` is that of the checkpoint that was verified, `source` whose word its key is.
    pub(super) fn lines(&self, size: u64, source: KeySource) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(complete) = self.complete_to {
            let by = if source == KeySource::Directory { ", by the directory's own word" } else { "" };
            lines.push(format!("complete to size {complete}{by}"));
        }
        for one in &self.cosigned {
            lines.push(format!("cosigned at {} by {}{}", seconds(one.at), one.by, under(one.size, size)));
        }
        if !self.cosigned_unchecked.is_empty() {
            let names = self.cosigned_unchecked.join(", ");
            lines.push(format!(
                "cosigned also by {names}: not checked, for want of their keys (--witness, --policy)"
            ));
        }
        lines.extend(self.timestamped.iter().map(|one| one.line(size)));
        if let Some(quorum) = &self.quorum {
            lines.push(quorum.line(size));
        }
        if self.cosigned.is_empty() && self.timestamped.is_empty() && self.cosigned_unchecked.is_empty() {
            lines.push("nobody else vouches for it: no cosignature, no timestamp".to_owned());
        }
        lines.extend(self.age(size));
        lines
    }

    fn age(&self, size: u64) -> Option<String> {
        let own =
            self.newest_entry.map(|at| format!("its newest entry says {}, the log's own word", seconds(at)));
        let age = self.age_ns.map_or(String::new(), |ns| format!(" ({} old)", span(ns)));
        Some(match (&self.evidence, own) {
            (Some(evidence), own) => format!(
                "newest time that others vouch for: {}{age}{}{}",
                seconds(evidence.at),
                under(evidence.size, size),
                own.map_or(String::new(), |own| format!("; {own}")),
            ),
            (None, Some(own)) => format!("no time that others vouch for; {own}{age}"),
            (None, None) => return None,
        })
    }
}

impl Timestamped {
    fn line(&self, size: u64) -> String {
        let accuracy = self.accuracy_ns.map_or(String::new(), |ns| format!(" ± {} s", ns as f64 / 1e9));
        let trust = if self.is_trusted {
            format!("{}, policy {}; revocation not checked", self.by, self.policy)
        } else {
            format!("{}, as it says of itself: no root was given that it leads to (--tsa-roots)", self.by)
        };
        format!("timestamped at {}{accuracy} by {trust}{}", self.at, under(self.size, size))
    }
}

impl Quorum {
    fn line(&self, size: u64) -> String {
        match self.met_at {
            Some(_) if self.is_met => format!("quorum {:?} of the policy: met", self.name),
            Some(met) => {
                format!("quorum {:?} of the policy: met at size {met}, not yet at {size}", self.name)
            }
            None => format!("quorum {:?} of the policy: not met", self.name),
        }
    }
}

/// Which entries are meant, where they are not all.
fn under(part: u64, size: u64) -> String {
    if part == size { String::new() } else { format!(" (the first {part} of {size} entries)") }
}

/// A time without its fraction.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}

fn span(ns: u64) -> String {
    match ns / 1_000_000_000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}
