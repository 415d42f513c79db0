//! What an evidence bundle needs of the keystore: signatures, and openings of what it discloses, recorded first.

use std::collections::BTreeMap;

use inferlog::{Instance, open_to_read, real_env};
use inferlog_audit::{Openings, Unopened};
use inferlog_bundle::layout::{MANIFEST_DOMAIN, REPORT_DOMAIN};
use inferlog_bundle::write::SignText;
use inferlog_log::NodeLock;
use inferlog_merkle::ed25519_signature_line;
use inferlog_record::body::AccessAction;
use inferlog_record::{Id, KeyId, SystemName};
use inferlog_vault::{DataKey, Vault};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::access::{Reader, Reading, record_access};
use super::act::Act;
use super::door::Door;
use super::export::ExportOpenings;
use crate::cli::OpenArgs;
use crate::output::Failure;

/// Content that is about to be given away in a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disclosing {
    pub(crate) reader: Reader,
    /// The decisions, by system.
    pub(crate) decisions: BTreeMap<SystemName, Vec<Id>>,
    /// What is asked for; sealed, for it may name persons.
    pub(crate) selection: String,
}

/// Records a disclosure in the log of each system that it is of, and waits until that is durable.
pub(super) async fn begin(instance: &Instance, disclosing: Disclosing) -> Result<(), Failure> {
    let Disclosing { reader, decisions, selection } = disclosing;
    let action = AccessAction::Disclose;
    record_access(instance, Reading { action, reader, decisions, granted: true, query: Some(selection) })
        .await
}

/// The signature lines of a log's newest keys over the text of a bundle's manifest, or of the note over its page. Nothing else is
/// signed: no checkpoint reads like either of them.
pub(super) fn sign(vault: &Vault, origin: &str, text: &str) -> Result<String, Failure> {
    if !is_of_a_bundle(text) {
        return Err(Failure::new("this is not the text of a bundle's note: it is not signed"));
    }
    let mut lines = String::new();
    for (key, signature) in vault.sign(origin, text.as_bytes()) {
        lines.push_str(&ed25519_signature_line(origin, &key, &signature)?.to_string());
    }
    if lines.is_empty() {
        return Err(Failure::new(format!("the keystore has no signing key of {origin}")));
    }
    Ok(lines)
}

/// Two lines: one of the domains, and a digest.
fn is_of_a_bundle(text: &str) -> bool {
    let lines = text.strip_suffix('\n').and_then(|lines| lines.split_once('\n'));
    lines.is_some_and(|(domain, digest)| {
        [MANIFEST_DOMAIN, REPORT_DOMAIN].contains(&domain)
            && digest.len() == 64
            && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// Whoever holds the keystore.
pub(crate) enum BundleKeys {
    /// The serving process, or this one, recording.
    Door(ExportOpenings),
    /// This process, which only signs: nothing is recorded, and the log stays as it is.
    ToSign {
        vault: Vault,
        /// Kept as long as the keystore is open.
        _lock: NodeLock,
    },
}

impl BundleKeys {
    /// Connects to the process that serves the directory; opens the directory where none does, to record only if something is to
    /// be disclosed.
    pub(crate) fn open(args: &OpenArgs, runtime: &Runtime, discloses: bool) -> Result<Self, Failure> {
        let mut door = match runtime.block_on(Door::to_server(&args.dir.data))? {
            Some(door) => door,
            None if discloses => runtime.block_on(Door::open(args))?,
            None => {
                let (_lock, vault) = open_to_read(&real_env(), &args.settings())?;
                return Ok(Self::ToSign { vault, _lock });
            }
        };
        runtime.block_on(door.ask::<Value>(Act::Checkpoint))?;
        Ok(Self::Door(ExportOpenings::new(door, runtime.handle())))
    }

    /// Records a disclosure; only then is anything opened.
    pub(crate) fn disclose(&self, disclosing: Disclosing, runtime: &Runtime) -> Result<(), Failure> {
        match self {
            Self::Door(door) => door.ask(runtime.handle(), Act::Disclose(disclosing)),
            Self::ToSign { .. } => Err(Failure::new("nothing is disclosed by who only signs")),
        }
    }

    /// Ends in order what this process opened.
    pub(crate) fn close(self, runtime: &Runtime) -> Result<(), Failure> {
        match self {
            Self::Door(door) => runtime.block_on(door.close()),
            Self::ToSign { .. } => Ok(()),
        }
    }
}

impl SignText for BundleKeys {
    fn sign(&self, origin: &str, text: &str) -> Result<String, String> {
        let signed = match self {
            Self::ToSign { vault, .. } | Self::Door(ExportOpenings::Own(vault, _)) => {
                sign(vault, origin, text)
            }
            Self::Door(door @ ExportOpenings::Server(_, runtime)) => {
                door.ask(runtime, Act::SignBundle { origin: origin.to_owned(), text: text.to_owned() })
            }
        };
        signed.map_err(|failure| failure.to_string())
    }
}

impl Openings for BundleKeys {
    fn data_key(&self, key: KeyId, payload: Id) -> Result<DataKey, Unopened> {
        match self {
            Self::Door(door) => door.data_key(key, payload),
            Self::ToSign { .. } => Err(Unopened::Other("nothing is opened by who only signs".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_be_taken_for_another_text_is_signed() {
        let digest = "0123456789abcdef".repeat(4);
        for domain in [MANIFEST_DOMAIN, REPORT_DOMAIN] {
            assert!(is_of_a_bundle(&format!("{domain}\n{digest}\n")));
        }
        let checkpoint = format!("org/credit/0/20260101-00000000\n17\n{digest}\n");
        let others = [
            checkpoint,
            format!("{MANIFEST_DOMAIN}\n{digest}"),
            format!("{MANIFEST_DOMAIN}\n{digest}\n\n"),
            format!("{MANIFEST_DOMAIN}\n{digest}\n{digest}\n"),
            format!("{MANIFEST_DOMAIN}\n{}\n", &digest[1..]),
            format!("{MANIFEST_DOMAIN}\n{}\n", digest.to_uppercase()),
            format!("{MANIFEST_DOMAIN} \n{digest}\n"),
            format!("\n{MANIFEST_DOMAIN}\n{digest}\n"),
            String::new(),
        ];
        for text in others {
            assert!(!is_of_a_bundle(&text), "{text:?}");
        }
    }
}
