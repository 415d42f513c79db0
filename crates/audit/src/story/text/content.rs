//! The content of steps: shortened, and what is repeated shown once.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_record::PayloadRole as Role;
use serde_json::value::RawValue;

use super::steps::piece_count;
use super::stream::words;
use super::{TextOptions, shorten};
use crate::paint::Paint;
use crate::story::model::{PayloadContent, Story, StoryEvent, StoryPayload};
use crate::story::states::{kept_by, mark, told, why};

/// Characters of one content that are shown, in a decision of one request and in one of several.
const CHARS_MAX: usize = 400;
const CHARS_LONG_MAX: usize = 160;
/// Content of fewer characters is shown again where it is repeated.
const REPEATED_CHARS_MIN: usize = 80;
/// Earlier requests that one is held against.
const INPUTS_MAX: usize = 8;
/// Items that a request adds to an earlier one which are shown.
const ITEMS_MAX: usize = 8;
/// Roles that are named and not shown.
const ASIDE: [Role; 3] = [Role::Headers, Role::ExternalIds, Role::Unlisted];

/// Roles that a decision told in few words shows only where they change.
const SETTINGS: [Role; 2] = [Role::ParamsRequested, Role::Tools];

/// Writes the content of steps, and remembers what it has written.
pub(super) struct Contents<'s> {
    story: &'s Story,
    full: bool,
    paint: Paint,
    /// Whether the decision is told in few words because it has several turns.
    pub(super) is_long: bool,
    /// Whether something was left out so far.
    pub(super) is_shortened: bool,
    /// By role and text, the step that showed it.
    shown: HashMap<(&'s str, &'s str), usize>,
    /// The requests so far, with their steps.
    inputs: Vec<(usize, &'s str)>,
}

impl<'s> Contents<'s> {
    pub(super) fn new(story: &'s Story, options: TextOptions) -> Self {
        Self {
            story,
            full: options.full,
            paint: Paint(options.color),
            is_long: story.summary.turns > 1 && !options.full,
            is_shortened: false,
            shown: HashMap::new(),
            inputs: Vec::new(),
        }
    }

    pub(super) fn payloads(&mut self, out: &mut String, indent: &str, step: &'s StoryEvent) {
        let mut aside = Vec::new();
        for payload in &step.payloads {
            let is_aside = ASIDE.iter().any(|role| payload.role == role.as_str());
            if self.full || !is_aside {
                self.payload(out, indent, step, payload);
            } else {
                aside.push(payload.role.as_str());
            }
        }
        self.is_shortened |= !aside.is_empty();
        if !aside.is_empty() && !self.is_long {
            let _ = writeln!(out, "{indent}{}", self.paint.dim(&format!("and {}", aside.join(", "))));
        }
    }

    fn payload(&mut self, out: &mut String, indent: &str, step: &'s StoryEvent, payload: &'s StoryPayload) {
        // What is not captured stands with what is missing.
        let is_nothing = payload.state == "not_captured" || self.is_in_same_turn(step, payload);
        if is_nothing && !self.full {
            return;
        }
        let name = self.paint.name(&format!("{:<18}", payload.role));
        let text = payload.content.as_ref().map(text).filter(|_| payload.first.is_none());
        let again = text.filter(|_| !self.full).and_then(|text| self.again(step, payload, text));
        if self.is_long && again.is_some() && SETTINGS.iter().any(|role| payload.role == role.as_str()) {
            return;
        }
        let mut state = self.state(payload, again);
        let mut lines = match text.filter(|_| again.is_none()) {
            Some(text) => self.lines(step, payload, text),
            None => Vec::new(),
        };
        if self.is_long && !lines.is_empty() {
            state = lines.remove(0);
        }
        let _ = writeln!(out, "{indent}{name} {state}");
        for line in lines {
            let _ = writeln!(out, "{indent}  {line}");
        }
    }

    /// A content as it is shown.
    fn lines(&mut self, step: &StoryEvent, payload: &StoryPayload, text: &'s str) -> Vec<String> {
        if payload.role == Role::InputRaw.as_str() {
            let more = if self.full { None } else { self.more(text) };
            self.inputs.push((step.order, text));
            if let Some((number, added)) = more {
                let first = self.paint.dim(&format!("as input.raw of #{number}, and"));
                let added = added.iter().flat_map(|line| self.cut(line)).collect::<Vec<_>>();
                return std::iter::once(first).chain(added).collect();
            }
        }
        match words(text).filter(|_| !self.full && is_stream(payload)) {
            Some(words) => {
                self.is_shortened = true;
                self.cut(&in_words(words))
            }
            None => self.cut(text),
        }
    }

    /// What model and request say of each other within a turn is one content.
    fn is_in_same_turn(&self, step: &StoryEvent, payload: &StoryPayload) -> bool {
        let first = payload.first.and_then(|first| self.story.events.iter().find(|event| event.id == first));
        self.is_long && first.is_some_and(|first| first.turn == step.turn)
    }

    /// The step that showed the same content.
    fn again(&mut self, step: &StoryEvent, payload: &'s StoryPayload, text: &'s str) -> Option<usize> {
        let is_setting = SETTINGS.iter().any(|role| payload.role == role.as_str());
        if text.chars().count() < REPEATED_CHARS_MIN && !(self.is_long && is_setting) {
            return None;
        }
        let shown = self.shown.entry((&payload.role, text)).or_insert(step.order);
        (*shown != step.order).then_some(*shown)
    }

    fn state(&self, payload: &StoryPayload, again: Option<usize>) -> String {
        let first = payload.first.and_then(|first| {
            let event = self.story.events.iter().find(|event| event.id == first)?;
            let again = event.payloads.iter().find(|other| other.payload == payload.payload)?;
            Some(format!("the same as {} of #{}", again.role, event.order))
        });
        match (first, payload.state.as_str(), &payload.content, &payload.problem) {
            (Some(first), ..) => self.paint.dim(&first),
            (None, "present", Some(_), _) => match again {
                Some(number) => self.paint.dim(&format!("the same content as {} of #{number}", payload.role)),
                None => self.paint.dim(&format!(
                    "{}{}",
                    self.described(payload, ", opened, and the content is the one committed to"),
                    self.kept(payload)
                )),
            },
            (None, "present", None, Some(problem)) => {
                self.paint.bad(&format!("could not be opened: {problem}"))
            }
            (None, "present", None, None) => {
                self.paint.dim(&format!("{}, sealed{}", self.described(payload, ""), self.kept(payload)))
            }
            (None, state, ..) => self.paint.bad(&format!(
                "{} {}",
                mark(state, false),
                told(
                    state,
                    &why(payload.removed.as_ref(), payload.reason.as_deref(), payload.problem.as_deref())
                )
            )),
        }
    }

    /// What keeps it; an entry of a decision told in few words only says that something does.
    fn kept(&self, payload: &StoryPayload) -> String {
        let kept = kept_by(&payload.held, &payload.withheld);
        match (kept.is_empty(), self.is_long) {
            (true, _) => String::new(),
            (false, true) => format!(", {} held", mark("present", true)),
            (false, false) => format!(", {} {}", mark("present", true), kept.join("; ")),
        }
    }

    fn described(&self, payload: &StoryPayload, how: &str) -> String {
        let media_type = payload.media_type.as_deref().unwrap_or("content");
        let size = payload.size.map_or(String::new(), |size| format!(", {size} bytes padded"));
        format!("{media_type}{size}{}", if self.is_long { "" } else { how })
    }

    /// As much of a text as is shown, by lines.
    fn cut(&mut self, text: &str) -> Vec<String> {
        let chars_max = match (self.full, self.is_long) {
            (true, _) => usize::MAX,
            (false, true) => CHARS_LONG_MAX,
            (false, false) => CHARS_MAX,
        };
        self.is_shortened |= text.chars().nth(chars_max).is_some();
        shorten(text, chars_max).lines().map(str::to_owned).collect()
    }

    /// What a request adds to an earlier one whose conversation it repeats, and which one that is.
    fn more(&mut self, text: &str) -> Option<(usize, Vec<String>)> {
        let earlier = self.inputs.iter().rev().take(INPUTS_MAX);
        let found = earlier.filter_map(|(number, old)| Some((*number, added(old, text)?))).next();
        self.is_shortened |= found.is_some();
        found
    }

    /// Pieces of a stream, put together; `whole` is the model call that has all of it.
    pub(super) fn delivered(
        &mut self,
        out: &mut String,
        indent: &str,
        pieces: &[&'s StoryEvent],
        whole: Option<&StoryEvent>,
    ) {
        let parts = pieces.iter().flat_map(|piece| &piece.payloads);
        let parts: Option<Vec<Vec<u8>>> = parts.map(|part| part.content.as_ref().map(bytes)).collect();
        let passed = parts.map(|parts| parts.concat());
        let bytes =
            passed.as_ref().map_or_else(|| "sealed".to_owned(), |passed| format!("{} bytes", passed.len()));
        let count = piece_count(pieces.len());
        if let Some(whole) = whole {
            let line =
                format!("the beginning of the answer of #{}, on its way: {bytes} in {count}", whole.order);
            let _ = writeln!(out, "{indent}{line}");
            return;
        }
        let _ = writeln!(out, "{indent}delivered before the end: {bytes} in {count}");
        if let Some(passed) = passed {
            let passed = String::from_utf8_lossy(&passed);
            let said = words(&passed).map(in_words);
            self.is_shortened |= said.is_some();
            for line in self.cut(said.as_deref().unwrap_or(&passed)) {
                let _ = writeln!(out, "{indent}  {line}");
            }
        }
    }
}

fn text(content: &PayloadContent) -> &str {
    match content {
        PayloadContent::Json(json) => json.get(),
        PayloadContent::Text(text) => text,
        PayloadContent::Base64(base64) => base64,
    }
}

/// The content itself: a piece of a stream may begin or end within a character.
fn bytes(content: &PayloadContent) -> Vec<u8> {
    match content {
        PayloadContent::Base64(base64) => STANDARD.decode(base64).unwrap_or_default(),
        other => text(other).as_bytes().to_vec(),
    }
}

fn in_words(words: String) -> String {
    format!("in words: {words}")
}

fn is_stream(payload: &StoryPayload) -> bool {
    matches!(payload.media_type.as_deref(), Some("text/event-stream" | "application/x-ndjson"))
}

/// What one JSON object has more than another, where an array of it goes on where the other's ended: its items and members
/// that differ, a line each.
fn added(old: &str, new: &str) -> Option<Vec<String>> {
    let read = |text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text).ok();
    let (old, new) = (read(old)?, read(new)?);
    let mut lines = Vec::new();
    let mut goes_on = false;
    for (name, value) in &new {
        let before = old.get(name);
        if before.is_some_and(|before| before.get() == value.get()) {
            continue;
        }
        let items = before.and_then(|before| Some((array(before)?, array(value)?)));
        match items.filter(|(before, now)| !before.is_empty() && is_beginning(before, now)) {
            Some((before, now)) => {
                goes_on = true;
                let more = &now[before.len()..];
                let places = before.len()..;
                lines.extend(
                    places.zip(more).take(ITEMS_MAX).map(|(at, item)| format!("{name}[{at}] {item}")),
                );
                if more.len() > ITEMS_MAX {
                    lines.push(format!("{name}: {} more", more.len() - ITEMS_MAX));
                }
            }
            None => lines.push(format!("{name} {value}")),
        }
    }
    lines.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("without {name}")));
    // The same request again adds nothing.
    (goes_on || lines.is_empty()).then_some(lines)
}

fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn is_beginning(before: &[&RawValue], now: &[&RawValue]) -> bool {
    before.len() <= now.len() && before.iter().zip(now).all(|(before, now)| before.get() == now.get())
}

#[cfg(test)]
mod tests {
    use super::added;

    #[test]
    fn a_request_is_told_by_what_it_adds() {
        let old = r#"{"model":"m","messages":[{"a":1}],"seed":1}"#;
        for (new, expected) in [
            (r#"{"model":"m","messages":[{"a":1},{"b":2}],"seed":1}"#, Some(vec![r#"messages[1] {"b":2}"#])),
            (
                r#"{"messages":[{"a":1},{"b":2}],"model":"n"}"#,
                Some(vec![r#"messages[1] {"b":2}"#, r#"model "n""#, "without seed"]),
            ),
            (old, Some(vec![])),
            (r#"{"model":"m","messages":[{"c":1}],"seed":1}"#, None),
            (r#"{"model":"m","messages":[]}"#, None),
            ("half", None),
        ] {
            let found = added(old, new);
            assert_eq!(found, expected.map(|lines| lines.into_iter().map(str::to_owned).collect()), "{new}");
        }
    }
}
