//! A comparison with a biometric reference database, as an application tells of it.

use super::ApiError;
use super::kinds::Draft;
use bytes::Bytes;
use inferlog_record::body::{BiometricMatch, MatchResult};
use inferlog_record::{LIST_ITEMS_MAX, Millionths, PayloadRole};

impl Draft<'_, '_> {
    pub(super) fn biometric(&mut self) -> Result<BiometricMatch, ApiError> {
        let Self { fields, names, .. } = self;
        let body = BiometricMatch {
            database: names.needed(fields, "database")?,
            database_digest: fields.word("database_digest")?,
            database_version: names.name(fields, "database_version")?,
            exemption: fields.word("exemption")?,
            result: fields.needed("result")?,
            score_millionths: fields.number("score")?.and_then(Millionths::from_f64),
            // Named where their pseudonyms are known.
            verifiers: Vec::new().into(),
        };
        let (input, record) = (fields.content("input")?, fields.content("record")?);
        match body.result {
            MatchResult::Match => self.asked(PayloadRole::BiometricInput, input),
            _ => self.payload(PayloadRole::BiometricInput, input),
        }
        self.payload(PayloadRole::BiometricRecord, record);
        Ok(body)
    }

    /// Who verified it, as the caller knows them.
    pub(super) fn verifiers(&mut self) -> Result<Vec<Bytes>, ApiError> {
        let verifiers = self.fields.texts("verifiers")?;
        if verifiers.len() > LIST_ITEMS_MAX {
            return Err(self.fields.wrong("verifiers", format_args!("write at most {LIST_ITEMS_MAX}")));
        }
        Ok(verifiers.into_iter().map(Bytes::from).collect())
    }
}
