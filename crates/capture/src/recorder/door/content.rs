//! One payload at the door.

use super::edit::Edits;
use super::json::{Decoded, Next, Place, Visit, Walk, What};
use super::taken::{Taken, put};
use super::{Door, Rules, stream};
use bytes::Bytes;
use inferlog_detect::Span;
use inferlog_policy::{FieldAction, Unreadable};
use inferlog_record::{ClearName, DataClass, MediaType, PayloadRole, RedactionAction};
use serde::de::IgnoredAny;
use std::ops::Range;

/// The rule's name that counts what was left out because nothing could be looked for in it.
const UNREADABLE: &str = "unreadable";

/// Members of answers whose values say in other words what a text says: pieces of it, or what it was made of. Where something was
/// taken out of the text, they go whole.
const ECHOES: [&str; 9] = [
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "token_logprobs",
    "token_ids",
    "prompt_token_ids",
    "tokens",
    "text_offset",
    "context",
];

/// Content as it came.
pub(crate) struct Given {
    pub(crate) media_type: MediaType,
    pub(crate) class: DataClass,
    pub(crate) bytes: Bytes,
}

impl Given {
    fn sealed(self) -> Passed {
        Passed::Sealed { media_type: self.media_type, class: self.class, bytes: self.bytes }
    }
}

/// What is recorded of a payload.
#[derive(Debug, PartialEq)]
pub(crate) enum Passed {
    /// Sealed.
    Sealed { media_type: MediaType, class: DataClass, bytes: Bytes },
    /// In clear, by its digest.
    Shared { media_type: MediaType, bytes: Bytes },
    /// Nothing.
    Redacted,
}

/// How content is read.
enum Form<'a> {
    /// One JSON text.
    Json(&'a str),
    /// Several, with other lines between: where each stands.
    Pieces(&'a str, Vec<Range<usize>>),
    Text(&'a str),
    Unreadable,
}

impl Door {
    /// What is recorded of a payload, and what is taken out of it.
    pub(crate) fn pass(&self, taken: &mut Taken, role: PayloadRole, given: Given) -> Passed {
        let Some(rules) = self.rules(role) else { return given.sealed() };
        if role == PayloadRole::OutputPart
            && let Some(rule) = self.of_pieces()
        {
            return left_out(taken, rule);
        }
        if rules.is_open() {
            return given.sealed();
        }
        let whole = rules.whole.map(|at| &self.capture[at]);
        let is_split = |at: &usize| matches!(self.capture[*at].action, FieldAction::Split(_));
        if let Some(rule) = whole.filter(|rule| rule.action == FieldAction::Drop)
            && !rules.fields.iter().any(is_split)
        {
            return left_out(taken, &rule.name);
        }
        let form = Form::of(given.media_type, &given.bytes);
        if let Some(rule) = self.refuses(rules, &form) {
            return left_out(taken, &rule);
        }
        let is_unread = matches!(form, Form::Unreadable) && !rules.search.rules.is_empty();
        let (changed, is_json) = (self.search(taken, rules, &form), matches!(form, Form::Json(_)));
        // What detectors find in content that was to be shared decides, and what they cannot read may have something: it is sealed.
        let is_shareable = changed.is_none() && !is_unread;
        let mut given = given;
        if let Some(changed) = changed {
            given.bytes = changed.into();
        }
        let Some(rule) = whole else { return given.sealed() };
        match rule.action {
            FieldAction::Keep(DataClass::Shared) if is_shareable => {
                Passed::Shared { media_type: given.media_type, bytes: given.bytes }
            }
            FieldAction::Keep(DataClass::Shared) => given.sealed(),
            FieldAction::Keep(class) => Given { class, ..given }.sealed(),
            FieldAction::Drop => left_out(taken, &rule.name),
            FieldAction::Split(class) => {
                let class =
                    if is_shareable || class != DataClass::Shared { class } else { DataClass::Personal };
                let text = String::from_utf8_lossy(&given.bytes);
                let value = if is_json { text.trim().to_owned() } else { quoted(&text) };
                let mark = taken.split(&rule.name, class, value);
                Given { media_type: MediaType::Text, bytes: mark.into(), ..given }.sealed()
            }
        }
    }

    /// Why a payload cannot be recorded: by which rule.
    fn refuses(&self, rules: &Rules, form: &Form<'_>) -> Option<ClearName> {
        let is_json = match form {
            Form::Json(_) => true,
            Form::Pieces(text, pieces) => stream::is_all(text, pieces),
            Form::Text(_) | Form::Unreadable => false,
        };
        if rules.is_strict && !is_json {
            let takes = |at: &&usize| {
                let rule = &self.capture[**at];
                rule.role.is_some() && !matches!(rule.action, FieldAction::Keep(_))
            };
            return rules.fields.iter().find(takes).map(|at| self.capture[*at].name.clone());
        }
        let is_lost = matches!(form, Form::Unreadable)
            && self.unreadable == Unreadable::Drop
            && !rules.search.rules.is_empty();
        is_lost.then(|| ClearName::or_unlisted(UNREADABLE))
    }

    /// The content without what is taken out of it; `None` if that is nothing.
    fn search(&self, taken: &mut Taken, rules: &Rules, form: &Form<'_>) -> Option<Vec<u8>> {
        let (text, edits) = match form {
            Form::Json(text) => {
                let mut reading = Reading::new(self, rules, taken, 0);
                reading.text = text;
                Walk::new(text, &rules.pointers).run(&mut reading);
                (text, reading.end())
            }
            Form::Pieces(text, pieces) => (text, stream::search(self, rules, taken, text, pieces)),
            Form::Text(text) => {
                let mut edits = Edits::default();
                for span in rules.search.find(text, "") {
                    let mark = self.take(taken, rules, &span, &text[span.start..span.end]);
                    put(&mut edits, span.start..span.end, &mark, false);
                }
                (text, edits)
            }
            Form::Unreadable => return None,
        };
        (!edits.is_empty()).then(|| edits.apply(text))
    }

    /// Takes what a detector found: the mark that stands for it.
    pub(super) fn take(&self, taken: &mut Taken, rules: &Rules, span: &Span, found: &str) -> String {
        let rule = &self.detectors[rules.search.rules[span.rule]];
        match rule.action {
            FieldAction::Split(class) => {
                // What is about somebody is never shared.
                let class = if class == DataClass::Shared { DataClass::Personal } else { class };
                taken.split(&rule.name, class, quoted(found))
            }
            FieldAction::Drop | FieldAction::Keep(_) => taken.redact(&rule.name, RedactionAction::Redacted),
        }
    }
}

impl<'a> Form<'a> {
    fn of(media_type: MediaType, bytes: &'a Bytes) -> Self {
        // What is framed or coded is not read, even where its bytes happen to be text.
        let is_coded = matches!(
            media_type,
            MediaType::Grpc
                | MediaType::Protobuf
                | MediaType::Cbor
                | MediaType::Arrow
                | MediaType::Pdf
                | MediaType::Png
                | MediaType::Jpeg
                | MediaType::Webp
                | MediaType::Mpeg
                | MediaType::Wav
                | MediaType::Mp4
        );
        let Some(text) = std::str::from_utf8(bytes).ok().filter(|_| !is_coded) else {
            return Self::Unreadable;
        };
        if is_json(text) {
            return Self::Json(text);
        }
        let pieces = stream::pieces(text);
        if pieces.is_empty() { Self::Text(text) } else { Self::Pieces(text, pieces) }
    }
}

/// Whether a text is one JSON text, and no bare number or word.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn left_out(taken: &mut Taken, rule: &ClearName) -> Passed {
    taken.count(rule, RedactionAction::Dropped, 1);
    Passed::Redacted
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text of one piece of an answer: where it stands in the content.
pub(super) struct PieceText {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    /// The member that it is in.
    pub(super) field: String,
}

/// One JSON text being read: what is to be replaced in it.
pub(super) struct Reading<'a, 't> {
    door: &'a Door,
    rules: &'a Rules,
    taken: &'t mut Taken,
    pub(super) text: &'a str,
    edits: Edits,
    /// Where the text stands in the content.
    base: usize,
    echoes: Vec<Range<usize>>,
    /// Whether detectors look through it: not where all of it is left out but for fields that are split off.
    searches: bool,
    /// Whether texts are left to whoever puts pieces together.
    pub(super) leaves_texts: bool,
    texts: Vec<PieceText>,
    keys: usize,
}

impl<'a, 't> Reading<'a, 't> {
    pub(super) fn new(door: &'a Door, rules: &'a Rules, taken: &'t mut Taken, base: usize) -> Self {
        let is_dropped = rules.whole.is_some_and(|at| door.capture[at].action == FieldAction::Drop);
        let searches = !is_dropped && !rules.search.rules.is_empty();
        let (edits, echoes, texts) = (Edits::default(), Vec::new(), Vec::new());
        Self {
            door,
            rules,
            taken,
            text: "",
            edits,
            base,
            echoes,
            searches,
            leaves_texts: false,
            texts,
            keys: 0,
        }
    }

    /// What is to be replaced. Where a detector found something, so are the values that say the same in other words.
    fn end(mut self) -> Edits {
        if let Some(rule) = self.rules.search.rules.first().filter(|_| !self.edits.is_empty()) {
            let rule = &self.door.detectors[*rule].name;
            for span in std::mem::take(&mut self.echoes) {
                let mark = self.taken.redact(rule, RedactionAction::Dropped);
                put(&mut self.edits, span, &mark, true);
            }
        }
        self.edits
    }

    /// What is to be replaced so far, and what is to be if anything is.
    pub(super) fn parts(self) -> (Edits, Vec<Range<usize>>, Vec<PieceText>) {
        (self.edits, self.echoes, self.texts)
    }

    fn at(&self, span: &Range<usize>) -> Range<usize> {
        self.base + span.start..self.base + span.end
    }

    fn pointed(&mut self, at: usize, span: &Range<usize>) -> Next {
        let rule = &self.door.capture[self.rules.fields[at]];
        let written = self.text.get(span.clone()).unwrap_or_default();
        let (door, rules) = (self.door, self.rules);
        let mark = match rule.action {
            FieldAction::Keep(_) => return Next::Spare,
            FieldAction::Drop => self.taken.redact(&rule.name, RedactionAction::Dropped),
            // What detectors find in it decides: it is not shared, and read like all else.
            FieldAction::Split(DataClass::Shared) if door.finds(rules, written) => return Next::Into,
            FieldAction::Split(class) => self.taken.split(&rule.name, class, written.to_owned()),
        };
        let span = self.at(span);
        put(&mut self.edits, span, &mark, true);
        Next::Over
    }

    fn written(&mut self, place: &Place<'_>) {
        let written = self.text.get(place.span.clone()).unwrap_or_default();
        let decoded = Decoded::new(written);
        for span in self.rules.search.find(&decoded.text, place.field) {
            let mut mark = self.door.take(self.taken, self.rules, &span, &decoded.text[span.start..span.end]);
            if place.what == What::Key {
                // Names stay apart.
                self.keys += 1;
                if self.keys > 1 {
                    mark.push_str(&format!("#{}", self.keys));
                }
            }
            let from = place.span.start;
            let at = from + decoded.written(span.start)..from + decoded.written(span.end);
            let at = self.at(&at);
            put(&mut self.edits, at, &mark, false);
        }
    }

    /// A whole number may be a telephone's or a card's.
    fn bare(&mut self, place: &Place<'_>) {
        let written = self.text.get(place.span.clone()).unwrap_or_default();
        if written.len() < 7 || !written.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let found = self.rules.search.find(written, place.field);
        if let Some(span) = found.first().filter(|span| (span.start, span.end) == (0, written.len())) {
            let mark = self.door.take(self.taken, self.rules, span, written);
            let span = self.at(&place.span);
            put(&mut self.edits, span, &mark, true);
        }
    }
}

impl Visit for Reading<'_, '_> {
    fn visit(&mut self, place: Place<'_>) -> Next {
        match place.what {
            What::Pointed(at) => return self.pointed(at, &place.span),
            What::Member => {
                let value = self.text.get(place.span.clone()).unwrap_or_default();
                if !place.is_spared && value.starts_with(['[', '{']) {
                    self.echoes.push(self.at(&place.span));
                }
            }
            _ if place.is_spared || !self.searches => {}
            What::Text if self.leaves_texts => {
                let (path, field) = (place.path.to_owned(), place.field.to_owned());
                self.texts.push(PieceText { path, span: self.at(&place.span), field });
            }
            What::Key | What::Text => self.written(&place),
            What::Bare => self.bare(&place),
        }
        Next::Into
    }

    fn wants(&self, name: &str) -> bool {
        self.searches && ECHOES.contains(&name)
    }
}

impl Door {
    /// Whether detectors find anything in a JSON value.
    fn finds(&self, rules: &Rules, value: &str) -> bool {
        let mut other = Taken::default();
        let mut reading = Reading::new(self, rules, &mut other, 0);
        reading.text = value;
        Walk::new(value, &[]).run(&mut reading);
        !reading.edits.is_empty()
    }
}
