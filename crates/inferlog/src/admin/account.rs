//! Accounts of decisions: reconstructed, the access recorded, then given out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog::Instance;
use inferlog_audit::account::{Account, Completeness, explain, reconstruct, to_html};
use inferlog_audit::{AuditError, Locator, Openings, StoryOptions, TextOptions};
use inferlog_log::Env;
use inferlog_record::body::AccessAction;
use inferlog_record::{Id, Pseudonym, SystemName};
use inferlog_registry::Snapshot;
use inferlog_vault::Vault;
use serde::{Deserialize, Serialize};

use super::access::{Reader, Reading, record_access};
use crate::followers::{Followers, Store};
use crate::located::IndexLocator;
use crate::output::Failure;

/// How an account is written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccountForm {
    Text {
        color: bool,
        full: bool,
    },
    Json,
    Html,
    Markdown,
    Prov,
    /// Not the account but the draft of an explanation, for this person.
    Draft {
        form: DraftForm,
        subject: Option<Pseudonym>,
    },
}

/// How the draft of an explanation is written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DraftForm {
    Text,
    Markdown,
    Html,
}

/// An account that is wanted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) decision: Id,
    pub(crate) form: AccountForm,
    /// Search the log and ask no index.
    pub(crate) scan: bool,
}

/// An account, written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// The verdict on the record: `complete`, …
    pub(crate) verdict: String,
    pub(crate) is_complete: bool,
    /// Items that are missing without a reason.
    pub(crate) unexplained: usize,
}

/// Gives an account, its content opened; `None` if there is no such decision. That it was read is durable before it is given.
pub(super) async fn give(
    instance: &Instance,
    followers: &Followers,
    wanted: Wanted,
    reader: Reader,
) -> Result<Option<Written>, Failure> {
    instance.recorder.integrate().await?;
    let (vault, env, data) = (instance.vault.clone(), instance.env.clone(), instance.data.clone());
    let registry = instance.registry.snapshot();
    let followers = followers.clone();
    let told = move || account(&env, &data, followers.stores(), wanted, Some((&vault, &registry)));
    let Some(account) = tokio::task::spawn_blocking(told).await?? else { return Ok(None) };
    let system = SystemName::new(&account.identity.system)?;
    let reading = Reading {
        action: AccessAction::Reconstruct,
        reader,
        decisions: BTreeMap::from([(system, vec![wanted.decision])]),
        granted: true,
        query: None,
    };
    record_access(instance, reading).await?;
    Ok(Some(tokio::task::spawn_blocking(move || written(&account, wanted.form)).await??))
}

/// Gives an account without its content; `None` if there is no such decision.
pub(crate) fn sealed(env: &Env, data: &Path, wanted: Wanted) -> Result<Option<Written>, Failure> {
    let account = account(env, data, &[], wanted, None)?;
    account.map(|account| written(&account, wanted.form)).transpose()
}

fn account(
    env: &Env,
    data: &Path,
    stores: &[Store],
    wanted: Wanted,
    held: Option<(&Vault, &Snapshot)>,
) -> Result<Option<Account>, Failure> {
    let (openings, registry) = (held.map(|(vault, _)| vault as &dyn Openings), held.map(|(_, known)| known));
    let locator = if wanted.scan { None } else { IndexLocator::open(data, stores) };
    let locator = locator.as_ref().map(|index| index as &dyn Locator);
    let options = StoryOptions { openings, locator, ..StoryOptions::default() };
    match reconstruct(&env.fs, data, wanted.decision, &options, registry) {
        Err(AuditError::NoDecision(_)) => Ok(None),
        other => Ok(Some(other?)),
    }
}

fn written(account: &Account, form: AccountForm) -> Result<Written, Failure> {
    let text = match form {
        AccountForm::Text { color, full } => account.to_text(TextOptions { color, full }),
        AccountForm::Json => serde_json::to_string(account)?,
        AccountForm::Html => to_html(account),
        AccountForm::Markdown => account.to_markdown(),
        AccountForm::Prov => account.to_prov(),
        AccountForm::Draft { form, subject } => {
            let draft = explain(account, subject)?;
            match form {
                DraftForm::Text => draft.to_text(),
                DraftForm::Markdown => draft.to_markdown(),
                DraftForm::Html => draft.to_html(),
            }
        }
    };
    let verdict = &account.verdict;
    Ok(Written {
        text,
        verdict: verdict.completeness.words().to_owned(),
        is_complete: verdict.completeness != Completeness::Incomplete,
        unexplained: verdict.unexplained,
    })
}

/// Writes an account into a file, which is there when it is whole, for its owner alone.
pub(crate) fn save(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let name = path.file_name().ok_or_else(|| Failure::new(format!("{} is not a file", path.display())))?;
    let mut draft = PathBuf::from(path);
    draft.set_file_name(format!(".tmp-{}-{}", std::process::id(), name.to_string_lossy()));
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().map_err(|error| {
        // What is left of it means nothing.
        let _ = std::fs::remove_file(&draft);
        Failure::new(format!("{}: {error}", path.display()))
    })
}
