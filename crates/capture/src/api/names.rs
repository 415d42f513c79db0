//! Names in clear: what an application says where it keeps the pattern; of any other the field says `unlisted`.

use super::ApiError;
use super::fields::Fields;
use crate::headers::Members;
use crate::recorder::{NewContent, NewEvent};
use inferlog_record::{ClearName, LIST_ITEMS_MAX, MediaType, PayloadRole};

/// Texts that may not stand in clear, by field; sealed as the payload `unlisted`.
#[derive(Default)]
pub(super) struct Names(Members);

impl Names {
    fn clear(&mut self, field: &str, text: &str) -> ClearName {
        match ClearName::new(text) {
            Ok(name) if !name.is_unlisted() => name,
            _ => {
                self.0.add(field, text);
                ClearName::unlisted()
            }
        }
    }

    /// A name that may be there.
    pub(super) fn name(
        &mut self,
        fields: &mut Fields<'_>,
        member: &'static str,
    ) -> Result<Option<ClearName>, ApiError> {
        Ok(fields.text(member)?.map(|text| self.clear(member, &text)))
    }

    /// A name that must be there.
    pub(super) fn needed(
        &mut self,
        fields: &mut Fields<'_>,
        member: &'static str,
    ) -> Result<ClearName, ApiError> {
        self.name(fields, member)?.ok_or_else(|| fields.wrong(member, "is missing"))
    }

    /// A list of names.
    pub(super) fn list(
        &mut self,
        fields: &mut Fields<'_>,
        member: &'static str,
    ) -> Result<Vec<ClearName>, ApiError> {
        let texts = fields.texts(member)?;
        if texts.len() > LIST_ITEMS_MAX {
            return Err(fields.wrong(member, format_args!("write at most {LIST_ITEMS_MAX}")));
        }
        let name = |(at, text): (usize, &String)| self.clear(&format!("{member}.{at}"), text);
        Ok(texts.iter().enumerate().map(name).collect())
    }

    pub(super) fn add_to(self, event: NewEvent) -> NewEvent {
        if self.0.is_empty() {
            return event;
        }
        event.with(PayloadRole::Unlisted, NewContent::personal(MediaType::Json, self.0.end()))
    }
}
