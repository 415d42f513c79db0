//! Whether an event says what it should. A violation names the field, the rule and the provision that the field serves.

use std::fmt;

use crate::body::Body;
use crate::member::Member;
use crate::rules;
use crate::{
    ClearName, Content, DataClass, Event, FieldDoc, Kind, LIST_ITEMS_MAX, Level, PayloadRole, RoleDoc, roles,
};

/// A rule that an event breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Kind and member, or kind and payload role: `decision.closed.outcome`, `inference.payloads[output.raw]`.
    pub field: String,
    /// What is wrong, as a phrase.
    pub rule: String,
    /// The provision that the field serves, as in record.md.
    pub serves: &'static str,
    /// Who asks for it.
    pub level: Level,
}

/// `decision.closed.error: required by inferlog's profile where the outcome is failed (serves Art. 12(2)(a))`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)?;
        match self.serves {
            "" | "profile" => Ok(()),
            serves => write!(f, " (serves {})", articles(serves)),
        }
    }
}

/// `12(1), 86; GDPR 17` as `Art. 12(1), 86; GDPR Art. 17`.
pub(crate) fn articles(serves: &str) -> String {
    let act = |law: &str| match law.trim().strip_prefix("GDPR ") {
        Some(article) => format!("GDPR Art. {article}"),
        None => format!("Art. {}", law.trim()),
    };
    serves.split(';').map(act).collect::<Vec<_>>().join("; ")
}

/// What the law and inferlog's profile require of the event. Every violation is returned, not only the first.
pub fn validate(event: &Event) -> Result<(), Vec<Violation>> {
    let violations = violations(event, Level::Required);
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Shows every optional field that the event lacks, whatever its level: the path, as it stands in the JSON, and its row. Of an
/// object that is absent as a whole the object alone; of a list's items each on its own.
pub fn absences(event: &Event, see: &mut dyn FnMut(&[&'static str], &'static FieldDoc)) {
    event.see_absent(&mut Vec::with_capacity(8), see);
}

/// Violations of at least this level: `Level::Recommended` reports recommended fields that are absent, too.
pub fn violations(event: &Event, least: Level) -> Vec<Violation> {
    let mut check = Check { event, kind: event.body.kind_text(), least, found: Vec::new() };
    match &event.body {
        Body::Other(_) => check.wrong("kind", "not known to this version", "12(1)"),
        Body::Rest(_) => check.references(),
        _ => check.all(),
    }
    check.found
}

pub(crate) struct Check<'a> {
    pub(crate) event: &'a Event,
    kind: &'a str,
    least: Level,
    found: Vec<Violation>,
}

impl Check<'_> {
    fn all(&mut self) {
        self.rows();
        self.lists();
        self.references();
        if let Some(kind) = self.event.kind() {
            self.roles(kind);
        }
        rules::common(self);
        rules::of_kind(self);
    }

    /// Fields that are required whatever the others say. Those that depend on others are in `rules`.
    fn rows(&mut self) {
        let event = self.event;
        event.see_absent(&mut Vec::with_capacity(8), &mut |path, field: &'static FieldDoc| {
            if field.when.is_none() {
                self.absent(&path.join("."), field.level, field.serves, None);
            }
        });
    }

    fn lists(&mut self) {
        let event = self.event;
        event.see_lists(&mut Vec::with_capacity(8), &mut |path, len| {
            if len > LIST_ITEMS_MAX {
                self.wrong(
                    &path.join("."),
                    &format!("holds {len} items, at most {LIST_ITEMS_MAX} are allowed"),
                    "",
                );
            }
        });
    }

    fn references(&mut self) {
        for reference in &self.event.payloads {
            let role = format!("payloads[{}]", reference.role);
            if let Some(kind) = self.event.kind()
                && !kind.payloads().iter().chain(roles::COMMON_ROLES).any(|row| row.role == reference.role)
            {
                self.wrong(&role, "no payload of this kind of event has this role", "");
            }
            if matches!(reference.content, Content::Sealed(sealed) if sealed.class == DataClass::Shared) {
                self.wrong(&role, "shared content is not sealed but stored by its SHA-256", "");
            }
        }
    }

    /// Payloads that are required whatever the fields say.
    fn roles(&mut self, kind: Kind) {
        for row in kind.payloads().iter().filter(|row| row.when.is_none()) {
            self.payload(row);
        }
    }

    fn payload(&mut self, row: &RoleDoc) {
        if !self.has(row.role) {
            self.absent(&format!("payloads[{}]", row.role), row.level, row.serves, row.when);
        }
    }

    pub(crate) fn has(&self, role: PayloadRole) -> bool {
        self.event.payloads.iter().any(|reference| reference.role == role)
    }

    /// The payload is required because the row's condition holds.
    pub(crate) fn needs_payload(&mut self, role: PayloadRole) {
        let rows = self.event.kind().map_or(&[][..], Kind::payloads);
        if let Some(row) = rows.iter().chain(roles::COMMON_ROLES).find(|row| row.role == role) {
            self.payload(row);
        }
    }

    /// The field of the body, or of the event, is required because its row's condition holds.
    pub(crate) fn needs(&mut self, present: bool, path: &str) {
        if present {
            return;
        }
        if let Some(field) = self.row(path) {
            self.absent(path, field.level, field.serves, field.when);
        }
    }

    fn row(&self, path: &str) -> Option<&'static FieldDoc> {
        let (mut names, mut fields) = (path.split('.').peekable(), Event::FIELDS);
        if names.next_if_eq(&"body").is_some() {
            fields = self.event.kind()?.fields();
        }
        loop {
            let name = names.next()?;
            let field = fields.iter().find(|field| field.name == name)?;
            match (names.peek(), field.r#type) {
                (None, _) => return Some(field),
                (Some(_), crate::FieldType::Object { fields: inner, .. }) => fields = inner,
                _ => return None,
            }
        }
    }

    fn absent(&mut self, path: &str, level: Level, serves: &'static str, when: Option<&'static str>) {
        let by = match level {
            Level::Mandatory => "required of remote biometric identification systems",
            Level::Required => "required by inferlog's profile",
            Level::Recommended => "recommended",
        };
        let rule = when.map_or(by.to_owned(), |when| format!("{by} where {when}"));
        self.report(path, rule, serves, level);
    }

    /// The law itself requires it.
    pub(crate) fn unlawful(&mut self, path: &str, rule: &str, serves: &'static str) {
        self.report(path, rule.to_owned(), serves, Level::Mandatory);
    }

    /// Members contradict each other or a limit.
    pub(crate) fn wrong(&mut self, path: &str, rule: &str, serves: &'static str) {
        self.report(path, rule.to_owned(), serves, Level::Required);
    }

    fn report(&mut self, path: &str, rule: String, serves: &'static str, level: Level) {
        if level < self.least {
            return;
        }
        let field = format!("{}.{}", self.kind, path.strip_prefix("body.").unwrap_or(path));
        self.found.push(Violation { field, rule, serves, level });
    }

    /// A field says `unlisted`: its text must be sealed.
    pub(crate) fn names<'n>(&mut self, names: impl IntoIterator<Item = &'n Option<ClearName>>) {
        if names.into_iter().flatten().any(ClearName::is_unlisted) {
            self.needs_payload(PayloadRole::Unlisted);
        }
    }
}
