//! Retention classes.

use inferlog_record::RetentionClass;
use serde::Deserialize;
use toml::Spanned;

use super::text::Text;
use crate::{Period, PolicyError, Retention};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassFile {
    name: Spanned<String>,
    #[serde(default)]
    routes: Vec<Spanned<String>>,
    floor: Spanned<String>,
    target: Spanned<String>,
    ceiling: Option<Spanned<String>>,
    legal_basis: Spanned<String>,
    erasure: Option<Spanned<String>>,
    below_legal_floor: Option<Spanned<String>>,
}

impl Text<'_> {
    pub(super) fn class(&self, file: Spanned<ClassFile>) -> Result<Retention, PolicyError> {
        let file = file.into_inner();
        let basis = "name the law, or the purpose, for which these records are kept so long";
        let answers = "say who answers for a floor below the legal one, and why";
        Ok(Retention {
            class: self.read(&file.name, "name", RetentionClass::new)?,
            routes: self.names(&file.routes, "routes")?,
            floor: self.period(&file.floor, "floor")?,
            target: self.period(&file.target, "target")?,
            ceiling: file.ceiling.map(|ceiling| self.period(&ceiling, "ceiling")).transpose()?,
            legal_basis: self.words(&file.legal_basis, "legal_basis", basis)?,
            erasure: self.word("erasure", file.erasure.as_ref())?.unwrap_or_default(),
            below_legal_floor: file
                .below_legal_floor
                .map(|who| self.words(&who, "below_legal_floor", answers))
                .transpose()?,
        })
    }

    fn period(&self, text: &Spanned<String>, key: &str) -> Result<Period, PolicyError> {
        self.read(text, key, str::parse::<Period>)
    }
}
