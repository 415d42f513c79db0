//! Opening the payloads that an answer refers to.

use inferlog::Instance;
use inferlog_audit::{WantedPayload, open_payloads};
use inferlog_record::body::AccessAction;
use inferlog_record::{Id, SystemName};

use super::access::{Reader, Reading, record_access};
use crate::output::Failure;
use crate::query::PayloadAt;
use crate::query::open::{CONTENT_BYTES_MAX, Opened, REFERENCES_MAX, decisions};

/// Records the access, then opens.
pub(crate) async fn open(
    instance: &Instance,
    wanted: Vec<PayloadAt>,
    reader: Reader,
    query: String,
) -> Result<Vec<Opened>, Failure> {
    if wanted.len() > REFERENCES_MAX {
        return Err(Failure::new(format!("one answer opens {REFERENCES_MAX} payloads at most")));
    }
    // The log is published up to here at least, as far as the index was when it was asked.
    instance.recorder.integrate().await?;
    record_access(instance, reading(&wanted, reader, query, true)?).await?;
    let (vault, env, data) = (instance.vault.clone(), instance.env.clone(), instance.data.clone());
    let opening = move || {
        let places = wanted
            .iter()
            .map(|wanted| {
                let payload: Id = wanted.payload.parse()?;
                Ok(WantedPayload { payload, origin: wanted.origin.clone(), indices: wanted.indices.clone() })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let opened = open_payloads(&env.fs, &data, &places, &vault, CONTENT_BYTES_MAX)?;
        let told = wanted.into_iter().zip(opened).map(|(wanted, opened)| match opened {
            Ok(content) => Opened { payload: wanted.payload, content: Some(content.into()), missing: None },
            Err(why) => Opened { payload: wanted.payload, content: None, missing: Some(why) },
        });
        Ok::<_, Failure>(told.collect())
    };
    tokio::task::spawn_blocking(opening).await?
}

/// Records that content was asked for and not given.
pub(crate) async fn refuse_open(
    instance: &Instance,
    wanted: &[PayloadAt],
    reader: Reader,
    query: String,
) -> Result<(), Failure> {
    record_access(instance, reading(wanted, reader, query, false)?).await
}

fn reading(wanted: &[PayloadAt], reader: Reader, query: String, granted: bool) -> Result<Reading, Failure> {
    let decisions = decisions(wanted)
        .into_iter()
        .map(|(system, decisions)| Ok((SystemName::new(&system)?, decisions)))
        .collect::<Result<_, Failure>>()?;
    Ok(Reading { action: AccessAction::Query, reader, decisions, granted, query: Some(query) })
}
