//! Answers that come in pieces: events of a stream, lines of JSON. Each piece is a JSON text; a name may be in two of them.
//!
//! Texts that stand at the same place of successive pieces (`/choices#0/delta/content`) are read as one. What is found in it is
//! taken out of each piece that has some of it; the mark stands in the first. Where objects number themselves (`index`), the number
//! is the place, for pieces of several answers come in any order. Each is read by itself too, for lines of JSON may be separate
//! records.

use super::content::{PieceText, Reading, is_json};
use super::edit::Edits;
use super::json::{Decoded, Walk};
use super::taken::{Taken, put};
use super::{Door, Rules};
use inferlog_detect::Span;
use inferlog_record::RedactionAction;
use std::collections::HashMap;
use std::ops::Range;

/// A text that is longer, bytes, and the same in every piece is the answer's id or the model's name: all of them are not read as one.
const REPEATED_BYTES_MIN: usize = 8;

/// The JSON texts that make up a content: lines of JSON, or what stands behind `data:` in events (HTML, section 9.2.6). Empty if
/// there are none.
pub(super) fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let content = line.trim_end_matches(['\n', '\r']);
        let data = content.strip_prefix("data:").unwrap_or(content);
        let start = at + content.len() - data.trim_start().len();
        let end = at + content.len();
        if text.get(start..end).is_some_and(is_json) {
            found.push(start..end);
        }
        at += line.len();
    }
    found
}

/// What stands between pieces, before the first and after the last.
fn rests<'a>(text: &'a str, pieces: &'a [Range<usize>]) -> impl Iterator<Item = (usize, &'a str)> {
    let starts = std::iter::once(0).chain(pieces.iter().map(|piece| piece.end));
    let ends = pieces.iter().map(|piece| piece.start).chain([text.len()]);
    starts.zip(ends).filter_map(|(start, end)| Some((start, text.get(start..end)?)))
}

/// Whether there is nothing in a content but such pieces, and what frames them: no field can be anywhere else.
pub(super) fn is_all(text: &str, pieces: &[Range<usize>]) -> bool {
    let is_frame = |line: &str| {
        matches!(line.trim(), "" | "data:" | "data: [DONE]" | "data:[DONE]")
            || [":", "event:", "id:", "retry:"].iter().any(|field| line.starts_with(field))
    };
    rests(text, pieces).all(|(_, rest)| rest.split(['\n', '\r']).all(is_frame))
}

/// What is to be replaced in a content of such pieces.
pub(super) fn search(
    door: &Door,
    rules: &Rules,
    taken: &mut Taken,
    text: &str,
    pieces: &[Range<usize>],
) -> Edits {
    let (mut edits, mut echoes) = (Edits::default(), Vec::new());
    let mut groups: HashMap<String, Vec<PieceText>> = HashMap::new();
    let mut order = Vec::new();
    for piece in pieces {
        let Some(json) = text.get(piece.clone()) else { continue };
        let mut reading = Reading::new(door, rules, taken, piece.start);
        (reading.text, reading.leaves_texts) = (json, true);
        Walk::new(json, &rules.pointers).with_places().run(&mut reading);
        let (own, own_echoes, texts) = reading.parts();
        edits.extend(own);
        echoes.extend(own_echoes);
        for text in texts {
            let group = groups.entry(text.path.clone()).or_insert_with_key(|path| {
                order.push(path.clone());
                Vec::new()
            });
            group.push(text);
        }
    }
    for path in order {
        let Some(group) = groups.remove(&path) else { continue };
        assembled(door, rules, taken, (text, &group), &mut edits);
    }
    between(door, rules, taken, (text, pieces), &mut edits);
    if let Some(rule) = rules.search.rules.first().filter(|_| !edits.is_empty()) {
        let rule = &door.detectors[*rule].name;
        for span in echoes {
            put(&mut edits, span, &taken.redact(rule, RedactionAction::Dropped), true);
        }
    }
    edits
}

/// Reads the texts of pieces, each by itself and all as one, and takes out what is found either way.
fn assembled(
    door: &Door,
    rules: &Rules,
    taken: &mut Taken,
    (text, group): (&str, &[PieceText]),
    edits: &mut Edits,
) {
    let field = group.first().map_or("", |piece| piece.field.as_str());
    let (mut whole, mut spans) = (String::new(), Vec::new());
    let mut decoded = Vec::with_capacity(group.len());
    for piece in group {
        let piece = Decoded::new(text.get(piece.span.clone()).unwrap_or_default());
        let start = whole.len();
        let own = rules.search.find(&piece.text, field).into_iter();
        spans.extend(own.map(|span| Span { start: start + span.start, end: start + span.end, ..span }));
        whole.push_str(&piece.text);
        decoded.push((start..whole.len(), piece));
    }
    let written = |piece: &PieceText| text.get(piece.span.clone());
    let is_repeated = group
        .iter()
        .all(|piece| piece.span.len() > REPEATED_BYTES_MIN && written(piece) == written(&group[0]));
    if group.len() > 1 && !is_repeated {
        spans.extend(rules.search.find(&whole, field));
    }
    for found in joined(spans) {
        let mut mark = door.take(taken, rules, &found, &whole[found.start..found.end]);
        let from = decoded.partition_point(|(range, _)| range.end <= found.start);
        for ((range, piece), PieceText { span, .. }) in decoded.iter().zip(group).skip(from) {
            if range.start >= found.end {
                break;
            }
            let start = found.start.max(range.start) - range.start;
            let end = found.end.min(range.end) - range.start;
            let at = span.start + piece.written(start)..span.start + piece.written(end);
            put(edits, at, &std::mem::take(&mut mark), false);
        }
    }
}

/// Spans without overlaps: each covers all that overlap, and is the longest one's.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut joined: Vec<(Span, usize)> = Vec::with_capacity(spans.len());
    for span in spans {
        let len = span.end - span.start;
        match joined.last_mut() {
            Some((last, longest)) if span.start < last.end => {
                last.end = last.end.max(span.end);
                if len > *longest {
                    (last.rule, *longest) = (span.rule, len);
                }
            }
            _ => joined.push((span, len)),
        }
    }
    joined.into_iter().map(|(span, _)| span).collect()
}

/// Reads what stands between pieces: names of events, comments, lines that are no JSON.
fn between(
    door: &Door,
    rules: &Rules,
    taken: &mut Taken,
    (text, pieces): (&str, &[Range<usize>]),
    edits: &mut Edits,
) {
    for (start, rest) in rests(text, pieces) {
        if matches!(rest.trim(), "" | "data:") {
            continue;
        }
        for span in rules.search.find(rest, "") {
            let mark = door.take(taken, rules, &span, &rest[span.start..span.end]);
            put(edits, start + span.start..start + span.end, &mark, false);
        }
    }
}
