//! What `prompts`, `tools` and `models` have in common: reading the registry, telling what became of a registration.

use std::io::{Read, Write};
use std::path::Path;

use inferlog::real_env;
use inferlog_record::Timestamp;
use inferlog_registry::{Added, Entry, EntryKind, REGISTRY_DIR, Registration, Snapshot};
use serde_json::{Value, json};
use similar::TextDiff;

use crate::admin::{register, require_data};
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, styled};

/// What is registered now. Takes no lock.
pub(crate) fn load(data: &Path) -> Result<Snapshot, Failure> {
    require_data(data)?;
    Ok(Snapshot::load(&real_env().fs, &data.join(REGISTRY_DIR))?)
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    let cannot =
        |error: std::io::Error| Failure::new(format!("cannot read {} as text: {error}", file.display()));
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(cannot)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(cannot)
}

/// Registers, and tells what became of it. The answer is no if anything was refused.
pub(crate) fn add(data: &Path, registrations: Vec<Registration>, json: bool) -> Result<Verdict, Failure> {
    let asked = registrations.clone();
    let done = register(data, registrations)?;
    let (mut out, mut verdict) = (output::stdout(), Verdict::Well);
    for (asked, done) in asked.iter().zip(done) {
        match (done, json) {
            (Ok(added), true) => writeln!(out, "{}", serde_json::to_string(&added)?)?,
            (Ok(added), false) => writeln!(out, "{}", tell(asked, &added))?,
            (Err(refused), json) => {
                verdict = Verdict::No;
                let (kind, name) = (asked.kind(), &asked.name);
                match json {
                    true => writeln!(out, "{}", json!({ "kind": kind, "name": name, "refused": refused }))?,
                    false => writeln!(out, "{} {kind} {name}: {refused}", styled(BAD, "refused"))?,
                }
            }
        }
    }
    Ok(verdict)
}

fn tell(asked: &Registration, added: &Added) -> String {
    let at = |version: &Option<_>| version.as_ref().map_or(String::new(), |version| format!("@{version}"));
    let what = match &asked.what {
        inferlog_registry::What::Alias { alias } => match &added.version {
            Some(version) => format!("alias {}@{alias} for version {version}", added.name),
            None => format!("alias {}@{alias} for no version", added.name),
        },
        _ => format!("{} {}{}", added.kind, added.name, at(&added.version)),
    };
    let digest = added.sha256.map_or(String::new(), |digest| format!("  sha256 {digest}"));
    match added.is_new {
        true => format!("{} {what}{}", styled(GOOD, "registered"), styled(DIM, digest)),
        false => format!("{} {what}{}", styled(DIM, "registered before:"), styled(DIM, digest)),
    }
}

/// The entry that `NAME`, `NAME@VERSION` or `NAME@ALIAS` means; of a bare name what was registered last.
pub(crate) fn resolve<'s>(snapshot: &'s Snapshot, kind: EntryKind, at: &str) -> Result<&'s Entry, Failure> {
    // A name may hold an @ of its own.
    let versioned = at.rsplit_once('@').and_then(|(name, version)| snapshot.resolve(kind, name, version));
    versioned.or_else(|| snapshot.versions(kind, at).next_back()).ok_or_else(|| {
        let name = at.rsplit_once('@').map_or(at, |(name, _)| name);
        let known: Vec<_> =
            snapshot.versions(kind, name).filter_map(|entry| Some(entry.version()?.as_str())).collect();
        Failure::new(match known.is_empty() {
            true => format!("there is no {kind} {at}: see `list`"),
            false => format!("there is no {kind} {at}; versions of {name} are: {}", known.join(", ")),
        })
    })
}

/// Every version of every name of a kind, by name, then in the order in which they were registered.
pub(crate) fn list(snapshot: &Snapshot, kind: EntryKind) -> Vec<&Entry> {
    let mut names: Vec<&str> = snapshot
        .entries()
        .iter()
        .filter(|entry| entry.kind() == kind)
        .map(|entry| entry.name().as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().flat_map(|name| snapshot.versions(kind, name)).collect()
}

/// An entry as JSON, with what else there is to say.
pub(crate) fn to_json(entry: &Entry, more: &[(&str, Value)]) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(entry)?;
    if let Some(object) = value.as_object_mut() {
        object.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    Ok(value)
}

/// Rows below headings, each column as wide as it must be.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut out = output::stdout();
    let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "{}", styled(BOLD, line(&mut headings.iter().copied())))?;
    for row in rows {
        writeln!(out, "{}", line(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}

/// A time, to the second.
pub(crate) fn when(time: Timestamp) -> String {
    time.to_string().get(..19).unwrap_or_default().replace('T', " ")
}

/// So much of a digest as a person compares.
pub(crate) fn short(digest: impl ToString) -> String {
    digest.to_string().get(..12).unwrap_or_default().to_owned()
}

/// The difference of two texts, as `diff -u` writes it.
pub(crate) fn diff(old: (&Entry, &str), new: (&Entry, &str)) -> Result<(), Failure> {
    let title = |entry: &Entry| {
        let version = entry.version().map_or("", |version| version.as_str());
        format!("{}@{version}", entry.name())
    };
    let texts = TextDiff::from_lines(old.1, new.1);
    let text = texts.unified_diff().header(&title(old.0), &title(new.0)).to_string();
    let mut out = output::stdout();
    for (number, line) in text.lines().enumerate() {
        let style = match line.as_bytes().first() {
            _ if number < 2 => BOLD,
            Some(b'+') => GOOD,
            Some(b'-') => BAD,
            Some(b'@' | b'\\') => DIM,
            _ => anstyle::Style::new(),
        };
        writeln!(out, "{}", styled(style, line))?;
    }
    Ok(())
}
