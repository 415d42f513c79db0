//! Changes of a bundle: of bytes in every file, and of every member and item in every JSON file.

use serde_json::{Map, Value};

use crate::support::Files;

/// Items of a long list that are changed: its first ones and its last.
const ITEMS: usize = 2;

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) path: String,
    /// Which kind of change, and where in the file.
    pub(crate) what: String,
    /// The file as it is then; `None` if it is taken out.
    to: Option<Vec<u8>>,
    /// A second file that takes the first one's place.
    other: Option<(String, Vec<u8>)>,
}

impl Change {
    fn new(path: &str, what: impl Into<String>, to: Option<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), what: what.into(), to, other: None }
    }

    /// The file that changed places with the first one.
    pub(crate) fn other_path(&self) -> Option<&str> {
        self.other.as_ref().map(|(path, _)| path.as_str())
    }

    pub(crate) fn apply(&self, files: &Files) -> Files {
        let mut files = files.clone();
        match &self.to {
            Some(bytes) => drop(files.0.insert(self.path.clone(), bytes.clone())),
            None => drop(files.0.remove(&self.path)),
        }
        if let Some((path, bytes)) = &self.other {
            files.0.insert(path.clone(), bytes.clone());
        }
        files
    }
}

/// Bytes flipped, added, cut off; files taken out, put in, exchanged.
pub(crate) fn plain_changes(files: &Files) -> Vec<Change> {
    let mut changes = Vec::new();
    let paths: Vec<&String> = files.0.keys().collect();
    for (number, path) in paths.iter().enumerate() {
        let bytes = &files.0[*path];
        for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            changes.push(Change::new(path, format!("bytes: one flipped at {at}"), Some(flipped)));
        }
        let cut = |length: usize| Some(bytes[..length].to_vec());
        let newline = if path.ends_with(".json") { "newline" } else { "bytes: the last one" };
        changes.push(Change::new(path, format!("{newline} cut off"), cut(bytes.len() - 1)));
        changes.push(Change::new(path, "bytes: cut in half", cut(bytes.len() / 2)));
        changes.push(Change::new(path, "bytes: emptied", cut(0)));
        changes.push(Change::new(path, "bytes: one added", Some([bytes.as_slice(), b"x"].concat())));
        changes.push(Change::new(path, "taken out", None));
        let other = paths[(number + 1) % paths.len()];
        let mut exchanged =
            Change::new(path, format!("bytes: exchanged with {other}"), Some(files.0[other].clone()));
        exchanged.other = Some((other.clone(), bytes.clone()));
        changes.push(exchanged);
    }
    let digest = "ab".repeat(32);
    let id = "01a341d6-eae6-7a0d-a115-401ae10615ad";
    for added in [
        "notes.txt".to_owned(),
        "logs/1/checkpoint".to_owned(),
        "logs/0/timestamps/1.tsr".to_owned(),
        format!("shared/{digest}"),
        format!("openings/{id}.json"),
        format!("sealed/{id}.json"),
        format!("decisions/{id}.json"),
    ] {
        changes.push(Change::new(&added, "put in", Some(b"{}\n".to_vec())));
    }
    changes
}

/// Every member removed, renamed, doubled, changed; every list cut, reversed, lengthened.
pub(crate) fn json_changes(files: &Files, path: &str) -> Vec<Change> {
    let text = std::str::from_utf8(&files.0[path]).unwrap();
    let root: Value = serde_json::from_str(text).unwrap();
    let mut changes = Vec::new();
    let mut push = |what: String, json: String| {
        let bytes = format!("{json}\n").into_bytes();
        if bytes != files.0[path] {
            changes.push(Change::new(path, what, Some(bytes)));
        }
    };
    let mut pointers = Vec::new();
    walk(&root, String::new(), &mut pointers);
    for pointer in &pointers {
        for (what, changed) in changes_of(root.pointer(pointer).unwrap()) {
            let mut edited = root.clone();
            *edited.pointer_mut(pointer).unwrap() = changed;
            push(format!("{what} {pointer}"), edited.to_string());
        }
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        let Some(Value::Object(members)) = root.pointer(parent) else { continue };
        let member_changes = [("remove", without(members, name)), ("rename", renamed(members, name))];
        for (what, changed) in member_changes {
            let mut edited = root.clone();
            *edited.pointer_mut(parent).unwrap() = Value::Object(changed);
            push(format!("{what} {pointer}"), edited.to_string());
        }
        push(format!("double {pointer}"), doubled(&root, parent, name));
    }
    changes
}

/// Every place in a value; of long lists a few items.
fn walk(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| walk(value, format!("{at}/{name}"), pointers));
        }
        Value::Array(items) => {
            let some = items.iter().enumerate().filter(|(at, _)| *at < ITEMS || at + 1 == items.len());
            some.for_each(|(number, value)| walk(value, format!("{at}/{number}"), pointers));
        }
        _ => {}
    }
    pointers.push(at);
}

fn changes_of(value: &Value) -> Vec<(&'static str, Value)> {
    match value {
        Value::Null => vec![("change", Value::Bool(true))],
        Value::Bool(value) => vec![("change", Value::Bool(!value)), ("null", Value::Null)],
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or_default();
            vec![
                ("change", Value::from(number + 1)),
                ("change", Value::from(number.wrapping_sub(1))),
                ("text for", Value::from(number.to_string())),
                ("fraction for", Value::from(number as f64 + 0.5)),
            ]
        }
        Value::String(text) => {
            let mut chars: Vec<char> = text.chars().collect();
            let middle = chars.len() / 2;
            if let Some(char) = chars.get_mut(middle) {
                *char = if *char == 'b' { 'c' } else { 'b' };
            }
            let changed: String = chars.into_iter().collect();
            vec![("change", changed.into()), ("change", format!("{text}x").into()), ("null", Value::Null)]
        }
        Value::Array(items) => {
            let mut reversed = items.clone();
            reversed.reverse();
            let mut dropped = items.clone();
            dropped.pop();
            let repeated = [items.as_slice(), items.last().map_or(&[][..], std::slice::from_ref)].concat();
            let appended = [items.as_slice(), &[Value::from("x")]].concat();
            vec![
                ("reverse", Value::Array(reversed)),
                ("drop", Value::Array(dropped)),
                ("repeat", Value::Array(repeated)),
                ("append", Value::Array(appended)),
            ]
        }
        Value::Object(_) => vec![("empty", Value::Object(Map::new())), ("null", Value::Null)],
    }
}

fn without(members: &Map<String, Value>, name: &str) -> Map<String, Value> {
    members
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn renamed(members: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let new = |other: &String| if other == name { format!("{name}_") } else { other.clone() };
    members.iter().map(|(name, value)| (new(name), value.clone())).collect()
}

/// The text with a member twice: a mark is put in its place, and the text around it edited.
fn doubled(root: &Value, parent: &str, name: &str) -> String {
    const MARK: &str = "\u{1}mark";
    let mut marked = root.clone();
    let members = marked.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let value = members.insert(name.to_owned(), MARK.into()).unwrap();
    let (key, mark) = (Value::from(name), Value::from(MARK));
    let one = format!("{key}:{mark}");
    marked.to_string().replacen(&one, &format!("{key}:{value},{key}:{value}"), 1)
}
