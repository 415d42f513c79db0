//! Rules of capture, and detectors.

use inferlog_detect::Kind;
use inferlog_record::DataClass;
use serde::Deserialize;
use toml::Spanned;

use super::text::Text;
use crate::{CaptureRule, DetectorRule, FieldAction, PolicyError};

/// Longest JSON pointer, bytes.
const POINTER_BYTES_MAX: usize = 1024;

const CLASSES: [(&str, DataClass); 3] = [
    ("personal", DataClass::Personal),
    ("pseudonymous", DataClass::Pseudonymous),
    ("shared", DataClass::Shared),
];

/// What is to become of something, before its class is known.
#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Keep,
    Split,
    Drop,
}

const VERBS: [(&str, Verb); 3] = [("keep", Verb::Keep), ("split", Verb::Split), ("drop", Verb::Drop)];

/// What detectors look for, and the key that says more of it.
const KINDS: [(&str, Option<&str>); 8] = [
    ("email", None),
    ("phone", Some("countries")),
    ("iban", None),
    ("card", None),
    ("ip", None),
    ("names", Some("names")),
    ("national", Some("countries")),
    ("pattern", Some("pattern")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaptureFile {
    name: Spanned<String>,
    role: Option<Spanned<String>>,
    pointer: Option<Spanned<String>>,
    action: Spanned<String>,
    class: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetectorFile {
    name: Spanned<String>,
    kind: Spanned<String>,
    countries: Option<Spanned<Vec<Spanned<String>>>>,
    names: Option<Spanned<Vec<Spanned<String>>>>,
    pattern: Option<Spanned<String>>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    action: Spanned<String>,
    class: Option<Spanned<String>>,
}

impl Text<'_> {
    pub(super) fn capture(&self, file: Spanned<CaptureFile>) -> Result<CaptureRule, PolicyError> {
        let file = file.into_inner();
        Ok(CaptureRule {
            name: self.name(&file.name, "name")?,
            role: file.role.map(|role| self.role(&role, "role")).transpose()?,
            pointer: file.pointer.map(|pointer| self.pointer(&pointer)).transpose()?,
            action: self.action(&file.action, file.class.as_ref(), &VERBS)?,
        })
    }

    pub(super) fn detector(&self, file: Spanned<DetectorFile>) -> Result<DetectorRule, PolicyError> {
        let file = file.into_inner();
        Ok(DetectorRule {
            name: self.name(&file.name, "name")?,
            kind: self.kind(&file)?,
            roles: self.roles(&file.roles, "roles")?,
            action: self.action(&file.action, file.class.as_ref(), &VERBS[1..])?,
        })
    }

    fn action(
        &self,
        action: &Spanned<String>,
        class: Option<&Spanned<String>>,
        verbs: &[(&str, Verb)],
    ) -> Result<FieldAction, PolicyError> {
        let verb = self.one_of(action, "action", verbs)?;
        let named = class.map(|class| self.one_of(class, "class", &CLASSES)).transpose()?;
        match (verb, named, class) {
            (Verb::Drop, _, Some(class)) => {
                Err(self.error(class, "class", "what is dropped has no class: leave it out"))
            }
            (Verb::Drop, ..) => Ok(FieldAction::Drop),
            (Verb::Split, class, _) => Ok(FieldAction::Split(class.unwrap_or(DataClass::Personal))),
            (Verb::Keep, Some(class), _) => Ok(FieldAction::Keep(class)),
            (Verb::Keep, None, _) => {
                let what = "what is kept needs a `class`: \"personal\", \"pseudonymous\" or \"shared\"";
                Err(self.error(action, "action", what))
            }
        }
    }

    fn pointer(&self, pointer: &Spanned<String>) -> Result<String, PolicyError> {
        let text = pointer.as_ref();
        let is_escaped =
            |token: &str| token.split('~').skip(1).all(|rest| rest.starts_with('0') || rest.starts_with('1'));
        if text.starts_with('/') && text.len() <= POINTER_BYTES_MAX && is_escaped(text) {
            return Ok(text.to_owned());
        }
        let what = format!(
            "{text:?} is no JSON pointer (RFC 6901) up to {POINTER_BYTES_MAX} bytes: write it as in \"/applicants/*/name\", \
             and leave it out for the whole payload"
        );
        Err(self.error(pointer, "pointer", what))
    }

    fn kind(&self, file: &DetectorFile) -> Result<Kind, PolicyError> {
        let DetectorFile { kind, countries, names, pattern, .. } = file;
        let word = kind.as_ref().as_str();
        let has =
            [("countries", countries.is_some()), ("names", names.is_some()), ("pattern", pattern.is_some())];
        let wants = self.one_of(kind, "kind", &KINDS)?;
        if let Some((extra, _)) = has.into_iter().find(|(key, has)| *has && Some(*key) != wants) {
            return Err(self.error(kind, extra, format!("does not belong to a detector of kind {word:?}")));
        }
        let list = |list: &Option<Spanned<Vec<Spanned<String>>>>| -> Vec<String> {
            list.iter().flat_map(|list| list.as_ref()).map(|text| text.as_ref().clone()).collect()
        };
        let missing = |key: &str| self.error(kind, key, format!("a detector of kind {word:?} needs `{key}`"));
        match word {
            "email" => Ok(Kind::Email),
            "iban" => Ok(Kind::Iban),
            "card" => Ok(Kind::Card),
            "ip" => Ok(Kind::Ip),
            // Without countries: international numbers alone.
            "phone" => self.countries(countries.as_ref()).map(Kind::Phone),
            "national" => match self.countries(countries.as_ref())? {
                countries if countries.is_empty() => Err(missing("countries")),
                countries => Ok(Kind::National(countries)),
            },
            "names" => match list(names) {
                names if names.iter().all(|name| name.trim().is_empty()) => Err(missing("names")),
                names => Ok(Kind::Names(names)),
            },
            _ => match pattern {
                Some(pattern) if !pattern.as_ref().is_empty() => Ok(Kind::Pattern(pattern.as_ref().clone())),
                _ => Err(missing("pattern")),
            },
        }
    }

    fn countries(&self, list: Option<&Spanned<Vec<Spanned<String>>>>) -> Result<Vec<String>, PolicyError> {
        let codes = list.into_iter().flat_map(|list| list.as_ref());
        codes
            .map(|code| {
                let text = code.as_ref();
                match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    true => Ok(text.clone()),
                    false => {
                        let what =
                            format!("{text:?} is no country: two capital letters (ISO 3166-1), as in \"DE\"");
                        Err(self.error(code, "countries", what))
                    }
                }
            })
            .collect()
    }
}
