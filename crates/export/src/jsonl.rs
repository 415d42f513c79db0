//! JSON lines: one event a line, as it stands in the log.

use std::io::Write;

use inferlog_record::{Content, Id, Reference, State};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::content::{Birth, NotOpened, Opener, Readable};
use crate::error::Result;
use crate::selection::Selection;
use crate::source::ReadEntry;
use crate::{Report, Tick};

#[derive(Serialize)]
struct Line<'a> {
    log: &'a str,
    /// Index of the entry.
    index: u64,
    /// Place in the entry, from 0.
    place: usize,
    #[serde(skip_serializing_if = "is_one")]
    part: u32,
    #[serde(skip_serializing_if = "is_one")]
    of: u32,
    decision: Option<Id>,
    event: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Vec<Given>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

/// What became of one payload of the event.
#[derive(Serialize)]
struct Given {
    payload: Id,
    role: &'static str,
    /// The event that recorded the content, if another: it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Readable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_opened: Option<NotOpened>,
}

/// Writes the lines; with `contents`, what each payload holds or why it is not given.
pub(crate) fn write(
    out: &mut dyn Write,
    opener: &Opener<'_>,
    selection: &Selection,
    contents: bool,
    tick: &mut Tick<'_>,
    report: &mut Report,
) -> Result<()> {
    for (log, source) in opener.sources.iter().enumerate() {
        source.entries(|index, entry| {
            tick.entry();
            for (place, read) in entry.events.iter().enumerate() {
                if !selection.has_event(entry.decision, &read.event) {
                    continue;
                }
                let line = Line {
                    log: &source.origin,
                    index,
                    place,
                    part: entry.part,
                    of: entry.of,
                    decision: entry.decision,
                    event: read.raw,
                    contents: contents.then(|| given(opener, (log, index), entry, place, report)),
                };
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
                report.rows += 1;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn given(
    opener: &Opener<'_>,
    at: (usize, u64),
    entry: &ReadEntry<'_>,
    place: usize,
    report: &mut Report,
) -> Vec<Given> {
    let event = &entry.events[place].event;
    let one = |reference: &Reference| {
        let mut given = Given {
            payload: reference.payload,
            role: reference.role.as_str(),
            first: None,
            media_type: None,
            content: None,
            not_opened: None,
        };
        if let Content::First(first, State::Present) = reference.content {
            given.first = Some(first);
            return given;
        }
        let birth = Birth::of(at, entry, event, reference);
        match opener.open(reference, birth.as_ref()) {
            Ok(opened) => {
                given.media_type = Some(opened.media_type.as_str());
                given.content = Some(opened.exact());
            }
            Err(why) => {
                report.not_opened(why.state);
                given.not_opened = Some(why);
            }
        }
        given
    };
    event.payloads.iter().map(one).collect()
}
