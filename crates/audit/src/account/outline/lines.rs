//! Single lines of the account, and what makes text fit to be shown.

use super::{Block, Item, Tone};
use crate::account::model::{Account, Identity};
use crate::report::KeySource;

/// `answered, status 200, exchange complete`.
pub(super) fn outcome(identity: &Identity) -> String {
    let outcome = identity.outcome.clone().unwrap_or_else(|| "still open".to_owned());
    let mut parts = vec![outcome];
    let words = |text: &str| text.replace('_', " ");
    parts.extend(identity.error.as_deref().map(words));
    parts.extend(identity.status.map(|status| format!("status {status}")));
    parts.extend(identity.exchange.as_deref().map(|end| format!("exchange {}", words(end))));
    parts.join(", ")
}

/// `credit, route loans, wire openai chat, used as deployer, purposes a b c`.
pub(super) fn system(identity: &Identity) -> String {
    let mut parts = vec![identity.system.clone()];
    parts.extend(identity.route.as_ref().map(|route| format!("route {route}")));
    parts.extend(identity.wire.as_ref().map(|wire| format!("wire {}", wire.replace('_', " "))));
    parts.extend(identity.role.as_ref().map(|role| format!("recorded by its {role}")));
    if !identity.purposes.is_empty() {
        parts.push(format!("for purposes {} of Art. 12(2)", identity.purposes.join(", ")));
    }
    parts.join(", ")
}

/// In what surroundings it ran.
pub(super) fn surroundings(account: &Account) -> Vec<Item<'_>> {
    let told = account.context.iter().map(|context| {
        let fields = [
            ("environment", &context.environment),
            ("build", &context.build),
            ("region", &context.region),
            ("variant", &context.variant),
        ];
        let mut parts: Vec<String> = fields
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
            .collect();
        if !context.flags.is_empty() {
            parts.push(format!("flags {}", context.flags.join(" ")));
        }
        Item { head: format!("#{} {}", context.step, parts.join(", ")), ..Item::default() }
    });
    told.collect()
}

/// What proves that the steps are in the log.
pub(super) fn proof(account: &Account) -> Vec<Block<'_>> {
    let logs = account.proof.logs.iter().map(|log| {
        let included = log.entries.iter().filter(|entry| entry.included).count();
        let is_good = included == log.entries.len() && log.problem.is_none();
        let mut lines = vec![format!("under its checkpoint of {} entries, root {}", log.size, log.root)];
        lines.extend(log.signed_by.iter().map(|key| {
            let whose = match log.key_from {
                KeySource::Given => "the key you gave",
                KeySource::Directory => {
                    "the key in the directory, which proves nothing against somebody who can write there"
                }
            };
            format!("signed by {key} ({whose})")
        }));
        lines.extend(
            log.entries
                .iter()
                .filter_map(|entry| Some(format!("entry {}: {}", entry.index, entry.problem.as_ref()?))),
        );
        lines.extend(log.problem.clone());
        Item {
            head: format!("{included} of {} entries are in the log {}", log.entries.len(), log.log),
            tone: if is_good { Tone::Good } else { Tone::Bad },
            lines,
            ..Item::default()
        }
    });
    vec![Block::Items(logs.collect())]
}

/// A digest that is only to be recognised.
pub(super) fn short(digest: &str) -> String {
    match digest.get(..12) {
        Some(begin) if digest.len() > 16 => format!("{begin}…"),
        _ => digest.to_owned(),
    }
}

/// A kind of the system's life in words: `hold.placed` as `hold placed`.
pub(in crate::account) fn kind_words(kind: &str) -> String {
    kind.replace(['.', '_'], " ")
}

/// Text of others as it may be shown: control characters and those that turn the direction of writing are drawn as `\u{…}`.
pub(in crate::account) fn drawn(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && !matches!(c, '\n' | '\t')) || turns {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
