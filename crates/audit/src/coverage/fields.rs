//! How often each member of each kind of event is there, explained, or missing: the record's tables held against every event.

use std::collections::HashMap;

use inferlog_record::body::{Body, Model};
use inferlog_record::{
    COMMON_ROLES, Event, FieldDoc, FieldType, Kind, Level, PayloadRole, State, Violation, absences,
};

use super::report::FieldShare;

type Path = Vec<&'static str>;

/// One member of one kind.
#[derive(Debug)]
struct Row {
    name: String,
    level: Level,
    serves: &'static str,
    /// Whether the tables ask for it always.
    always: bool,
    /// The optional object that it stands in.
    within: Option<usize>,
    absent: u64,
    explained: u64,
    violated: u64,
}

/// The members of one kind.
#[derive(Debug, Default)]
struct Table {
    events: u64,
    rows: Vec<Row>,
    paths: HashMap<Path, usize>,
    names: HashMap<String, usize>,
    roles: Vec<(PayloadRole, usize)>,
    /// Payload roles that are there, explained.
    models: Vec<(&'static str, usize)>,
}

/// The members of every kind that was seen.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<Kind, Table>);

impl Fields {
    /// Counts an event that breaks these rules.
    pub(super) fn take(&mut self, event: &Event, kind: Kind, violations: &[Violation]) {
        let table = self.0.entry(kind).or_insert_with(|| Table::of(kind));
        table.events += 1;
        let Table { rows, paths, .. } = &mut *table;
        absences(event, &mut |path, _| {
            if let Some(row) = paths.get(path).and_then(|row| rows.get_mut(*row)) {
                row.absent += 1;
            }
        });
        for (role, row) in &table.roles {
            let Some(row) = table.rows.get_mut(*row) else { continue };
            let mut references = event.payloads.iter().filter(|reference| reference.role == *role).peekable();
            if references.peek().is_none() {
                row.absent += 1;
            } else if references.all(|reference| reference.state() != State::Present) {
                row.explained += 1;
            }
        }
        if let Body::Inference(body) = &event.body {
            for (name, row) in &table.models {
                if let Some(row) = table.rows.get_mut(*row).filter(|_| is_explained(&body.model, name)) {
                    row.explained += 1;
                    row.absent -= 1;
                }
            }
        }
        for violation in violations {
            if let Some(row) =
                table.names.get(violation.field.as_str()).and_then(|row| table.rows.get_mut(*row))
            {
                row.violated += 1;
            }
        }
    }

    /// The shares, by kind in the record's order.
    pub(super) fn end(self) -> Vec<FieldShare> {
        let mut tables: Vec<(Kind, Table)> = self.0.into_iter().collect();
        tables.sort_by_key(|(kind, _)| *kind);
        tables.into_iter().flat_map(|(_, table)| table.end()).collect()
    }
}

fn is_explained(model: &Model, name: &str) -> bool {
    let Some(absent) = &model.absent else { return false };
    match name {
        "deployment" => absent.deployment.is_some() && model.deployment.is_none(),
        "digest" => absent.digest.is_some() && model.digest.is_none(),
        "fingerprint" => absent.fingerprint.is_some() && model.fingerprint.is_none(),
        "requested" => absent.requested.is_some() && model.requested.is_none(),
        "returned" => absent.returned.is_some() && model.returned.is_none(),
        "version" => absent.version.is_some() && model.version.is_none(),
        _ => false,
    }
}

impl Table {
    fn of(kind: Kind) -> Self {
        let mut table = Self::default();
        let common = Event::FIELDS.iter().filter(|field| !matches!(field.name, "body" | "payloads"));
        common.for_each(|field| table.add(kind, &mut Vec::new(), None, field));
        kind.fields().iter().for_each(|field| table.add(kind, &mut vec!["body"], None, field));
        for row in kind.payloads().iter().chain(COMMON_ROLES) {
            let name = format!("{kind}.payloads[{}]", row.role);
            let place = table.push(name, (row.level, row.serves, row.when.is_none()), None);
            table.roles.push((row.role, place));
        }
        table
    }

    fn push(&mut self, name: String, asked: (Level, &'static str, bool), within: Option<usize>) -> usize {
        let place = self.rows.len();
        self.names.insert(name.clone(), place);
        let (level, serves, always) = asked;
        let row = Row { name, level, serves, always, within, absent: 0, explained: 0, violated: 0 };
        self.rows.push(row);
        place
    }

    fn add(&mut self, kind: Kind, path: &mut Path, within: Option<usize>, field: &'static FieldDoc) {
        path.push(field.name);
        let mut within = within;
        // Why a name is absent explains another field, and is none of its own.
        let is_reason = path.get(1..3) == Some(&["model", "absent"]);
        if field.optional && !is_reason {
            let names: Vec<&str> = path.iter().copied().filter(|name| *name != "body").collect();
            let asked = (field.level, field.serves, field.when.is_none());
            let place = self.push(format!("{kind}.{}", names.join(".")), asked, within);
            self.paths.insert(path.clone(), place);
            if path.get(1) == Some(&"model") && path.len() == 3 {
                self.models.push((field.name, place));
            }
            within = Some(place);
        }
        if let FieldType::Object { fields, .. } = field.r#type
            && !is_reason
        {
            fields.iter().for_each(|inner| self.add(kind, path, within, inner));
        }
        path.pop();
    }

    fn end(self) -> Vec<FieldShare> {
        let mut there: Vec<u64> = Vec::with_capacity(self.rows.len());
        let mut shares = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let of = row.within.and_then(|place| there.get(place)).copied().unwrap_or(self.events);
            let missing = match (row.level, row.always) {
                (Level::Recommended, true) => row.absent,
                _ => row.violated,
            };
            there.push(of.saturating_sub(row.absent + row.explained));
            // One that is there and breaks a rule is not what is asked for.
            let lacking = row.absent.max(missing) + row.explained;
            shares.push(FieldShare {
                explained: row.explained,
                field: row.name,
                level: row.level.letter(),
                missing,
                of,
                serves: row.serves,
                there: of.saturating_sub(lacking),
            });
        }
        shares.retain(|share| share.of > 0);
        shares
    }
}
