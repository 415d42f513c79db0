//! The answers out of the log's own entries: JSON, read one after another, with no code of the index.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use inferlog::log::{LogIdentity, LogReader, list_logs};
use inferlog::real_env;
use inferlog::record::Timestamp;
use serde_json::Value;

use super::answers::{Answers, COUNTED, Digester, digest_sorted, line};

const MINUTE_NS: i64 = 60_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;

/// A decision as its events tell it.
#[derive(Default)]
struct Decision {
    system: String,
    route: Option<String>,
    wire: Option<String>,
    model: Option<String>,
    version: Option<String>,
    identity: Option<String>,
    environment: Option<String>,
    outcome: Option<String>,
    error: Option<String>,
    session: Option<String>,
    is_opened: bool,
    started_ns: i64,
    ended_ns: Option<i64>,
    first_byte_ns: Option<i64>,
    counted: [i64; COUNTED.len()],
}

#[derive(Default)]
struct Scan {
    decisions: HashMap<String, Decision>,
    /// Decisions as they were seen first.
    order: Vec<String>,
    /// Every event seen: what comes again counts once.
    seen: HashSet<[u8; 16]>,
    kinds: BTreeMap<String, i64>,
    events: Digester,
    references: Digester,
    /// (person, decision), (decision, event), (aspect and name, decision).
    subjects: HashSet<(String, String)>,
    mentions: HashSet<(String, String)>,
    terms: HashSet<(String, String)>,
}

/// Reads all logs of a data directory.
pub fn scan(dir: &Path) -> Answers {
    let fs = real_env().fs;
    let mut logs: Vec<_> = list_logs(&*fs, dir).unwrap();
    logs.sort_by_key(|log| LogIdentity::load(&*fs, log).unwrap().origin);
    let mut scan = Scan::default();
    for log in logs {
        let origin = LogIdentity::load(&*fs, &log).unwrap().origin;
        let reader = LogReader::new(fs.clone(), log);
        let size = reader.size().unwrap();
        reader
            .scan(0, size, |index, entry| {
                scan.entry(&origin, index, &serde_json::from_slice(entry).unwrap());
                true
            })
            .unwrap();
    }
    scan.answers()
}

impl Scan {
    fn entry(&mut self, origin: &str, index: u64, entry: &Value) {
        let decision = entry["decision"].as_str();
        for (place, event) in entry["events"].as_array().unwrap().iter().enumerate() {
            let is_new = self.seen.insert(bytes(event["id"].as_str().unwrap()));
            // The rest of an event that an earlier part of the same write began.
            let is_rest = event.get("body").is_none() && entry["part"].as_u64() > Some(1);
            if !is_new && !is_rest {
                continue;
            }
            self.references(event);
            if let Some(id) = decision {
                self.payloads(id, event);
            }
            if is_rest {
                continue;
            }
            *self.kinds.entry(event["kind"].as_str().unwrap().to_owned()).or_default() += 1;
            self.event(origin, index, place, decision, event);
            match decision {
                Some(id) => self.step(id, event),
                None => self.mentioned(event),
            }
        }
    }

    fn event(&mut self, origin: &str, index: u64, place: usize, decision: Option<&str>, event: &Value) {
        let numbers = [index.to_string(), place.to_string()];
        let times = ["logged_at", "started_at", "ended_at"];
        let times = times.map(|name| ns(&event[name]).map(|ns| ns.to_string()));
        let texts = ["id", "kind", "system"].map(|name| event[name].as_str());
        let cells = [Some(origin), Some(&*numbers[0]), Some(&*numbers[1]), decision];
        let times = times.iter().map(Option::as_deref);
        self.events.line(&line(cells.into_iter().chain(texts).chain(times)));
    }

    fn references(&mut self, event: &Value) {
        let texts = [
            "payload",
            "role",
            "class",
            "media_type",
            "encoding",
            "state",
            "reason",
            "key_id",
            "commitment",
            "sealed",
            "sha256",
            "first",
        ];
        for reference in event["payloads"].as_array().into_iter().flatten() {
            let size = reference["size"].as_u64().map(|size| size.to_string());
            let cells = texts.iter().map(|name| reference[*name].as_str());
            self.references.line(&line([event["id"].as_str(), size.as_deref()].into_iter().chain(cells)));
        }
    }

    fn decision(&mut self, id: &str, event: &Value) -> &mut Decision {
        let begin = || Decision {
            system: event["system"].as_str().unwrap().to_owned(),
            started_ns: ns(&event["logged_at"]).unwrap(),
            ..Decision::default()
        };
        if !self.decisions.contains_key(id) {
            self.order.push(id.to_owned());
        }
        self.decisions.entry(id.to_owned()).or_insert_with(begin)
    }

    fn payloads(&mut self, id: &str, event: &Value) {
        let references = event["payloads"].as_array().map_or(&[][..], |references| references);
        let absent = references.iter().filter(|reference| reference["state"] != "present").count();
        let decision = self.decision(id, event);
        decision.add("payloads", references.len() as i64);
        decision.add("payloads_absent", absent as i64);
    }

    fn step(&mut self, id: &str, event: &Value) {
        for subject in event["subjects"].as_array().into_iter().flatten() {
            self.subjects.insert((subject.as_str().unwrap().to_owned(), id.to_owned()));
        }
        self.names(id, event);
        let decision = self.decision(id, event);
        decision.add("events", 1);
        decision.session = decision.session.take().or_else(|| text(&event["session"]));
        decision.step(event);
    }

    /// Clear names of the decision's steps.
    fn names(&mut self, id: &str, event: &Value) {
        let body = &event["body"];
        let each = |list: &str| -> Vec<&Value> { body[list].as_array().into_iter().flatten().collect() };
        let named = match event["kind"].as_str().unwrap() {
            "retrieval" => vec![("index", &body["index"])],
            "tool_call" => vec![("tool", &body["name"])],
            "transform" => vec![("transform", &body["name"])],
            "label" => vec![("label", &body["name"])],
            "inference" => {
                let prompts = each("prompts").into_iter().map(|prompt| ("prompt", &prompt["name"]));
                let tools = each("toolsets").into_iter().map(|tools| ("tool", &tools["name"]));
                prompts.chain(tools).collect()
            }
            _ => Vec::new(),
        };
        for (aspect, name) in named {
            if let Some(name) = name.as_str() {
                self.terms.insert((format!("{aspect} {name}"), id.to_owned()));
            }
        }
    }

    /// Decisions that an event of none names.
    fn mentioned(&mut self, event: &Value) {
        let body = &event["body"];
        let named = match event["kind"].as_str().unwrap() {
            "alert" => vec![&body["about"]],
            "system.changed" => vec![&body["decision"]],
            "access" => body["decisions"].as_array().into_iter().flatten().collect(),
            "hold.placed" => body["scope"]["decisions"].as_array().into_iter().flatten().collect(),
            _ => Vec::new(),
        };
        for decision in named.into_iter().filter_map(Value::as_str) {
            self.mentions.insert((decision.to_owned(), event["id"].as_str().unwrap().to_owned()));
            if let Some(monitor) = body["monitor"].as_str() {
                self.terms.insert((format!("monitor {monitor}"), decision.to_owned()));
            }
        }
    }

    fn answers(self) -> Answers {
        let mut answers = Answers { kinds: self.kinds, ..Answers::default() };
        let mut decisions = self.decisions;
        let decisions: Vec<(String, Decision)> =
            self.order.into_iter().map(|id| (id.clone(), decisions.remove(&id).unwrap())).collect();
        let mut rows = Digester::default();
        for (id, decision) in &decisions {
            rows.line(&decision.line(id));
            decision.count(&mut answers);
        }
        let widths = [("rollups_minute", MINUTE_NS), ("rollups_hour", HOUR_NS)];
        for (name, width) in widths {
            answers.digests.insert(name, digest_sorted(rollups(&decisions, width)));
        }
        answers.digests.insert("decisions", rows.end());
        answers.digests.insert("events", self.events.end());
        answers.digests.insert("payload_refs", self.references.end());
        for (name, _) in &self.terms {
            *answers.terms.entry(name.clone()).or_default() += 1;
        }
        let persons: HashSet<_> = self.subjects.iter().map(|(person, _)| person).collect();
        let mentioned: HashSet<_> = self.mentions.iter().map(|(decision, _)| decision).collect();
        let counts = [
            ("pairs", self.subjects.len()),
            ("persons", persons.len()),
            ("mentions", self.mentions.len()),
            ("mentioned", mentioned.len()),
        ];
        answers.persons = counts.map(|(name, count)| (name.to_owned(), count as i64)).into();
        answers
    }
}

impl Decision {
    fn add(&mut self, name: &str, by: i64) {
        let place = COUNTED.iter().position(|counted| *counted == name).unwrap();
        self.counted[place] += by;
    }

    /// Entries come in their order: the first opening counts, the last call and the last end do.
    fn step(&mut self, event: &Value) {
        let body = &event["body"];
        let failed = i64::from(body["outcome"] == "failed");
        match event["kind"].as_str().unwrap() {
            "decision.opened" => {
                self.add("turns", 1);
                if !std::mem::replace(&mut self.is_opened, true) {
                    self.started_ns = ns(&event["started_at"]).unwrap_or(self.started_ns);
                    (self.route, self.wire) = (text(&body["route"]), text(&body["wire"]));
                    self.environment = text(&body["context"]["environment"]).or(self.environment.take());
                }
            }
            "decision.joined" => self.add("turns", 1),
            "inference" => {
                self.add("model_calls", 1);
                self.add("model_calls_failed", failed);
                for kind in ["input", "output", "cached", "reasoning"] {
                    self.add(&format!("tokens_{kind}"), body["usage"][kind].as_i64().unwrap_or(0));
                }
                let model = &body["model"];
                self.model = text(&model["returned"]).or_else(|| text(&model["requested"]));
                (self.version, self.identity) = (text(&model["version"]), text(&model["identity"]));
            }
            "retrieval" => self.add("retrievals", 1),
            "tool_call" => {
                self.add("tool_calls", 1);
                self.add("tool_calls_failed", failed);
            }
            "transform" => self.add("transforms", 1),
            "label" => self.add("labels", 1),
            "human" => {
                self.add("human_actions", 1);
                let overrides = ["override", "modify", "reverse", "disregard", "reject"];
                self.add("overrides", i64::from(overrides.iter().any(|action| body["action"] == *action)));
            }
            "decision.closed" => {
                (self.outcome, self.error) = (text(&body["outcome"]), text(&body["error"]));
                self.ended_ns = ns(&event["ended_at"]).or_else(|| ns(&event["logged_at"]));
                self.first_byte_ns = body["time_to_first_byte_ns"].as_i64();
            }
            _ => {}
        }
    }

    fn latency_ns(&self) -> Option<i64> {
        Some((self.ended_ns? - self.started_ns).max(0))
    }

    fn overridden(&self) -> &str {
        let at = COUNTED.iter().position(|name| *name == "overrides").unwrap();
        if self.counted[at] > 0 { "1" } else { "0" }
    }

    /// What it is found by.
    fn facet(&self) -> [Option<&str>; 10] {
        [
            Some(&self.system),
            self.route.as_deref(),
            self.wire.as_deref(),
            self.model.as_deref(),
            self.version.as_deref(),
            self.identity.as_deref(),
            self.environment.as_deref(),
            self.outcome.as_deref(),
            self.error.as_deref(),
            Some(self.overridden()),
        ]
    }

    fn line(&self, id: &str) -> String {
        let numbers = [Some(self.started_ns), self.ended_ns, self.first_byte_ns];
        let numbers = numbers.into_iter().chain(self.counted.map(Some));
        let numbers: Vec<Option<String>> =
            numbers.map(|number| number.map(|number| number.to_string())).collect();
        let cells = [Some(id), self.session.as_deref()].into_iter().chain(self.facet());
        line(cells.chain(numbers.iter().map(Option::as_deref)))
    }

    fn count(&self, answers: &mut Answers) {
        let outcome = self.outcome.clone().unwrap_or("-".into());
        *answers.outcomes.entry(outcome).or_default() += 1;
        let model = line([self.model.as_deref(), self.version.as_deref()]);
        let tokens = COUNTED.iter().position(|name| *name == "tokens_output").unwrap();
        let sums = [1, self.counted[tokens], self.latency_ns().unwrap_or(0)];
        for (sum, more) in answers.models.entry(model).or_default().iter_mut().zip(sums) {
            *sum += more;
        }
        *answers.days.entry((self.started_ns / (24 * HOUR_NS)).to_string()).or_default() += 1;
        for (name, more) in COUNTED.iter().zip(self.counted) {
            *answers.sums.entry((*name).to_owned()).or_default() += more;
        }
    }
}

/// Decisions by when they began and what they are found by, counted and summed.
fn rollups(decisions: &[(String, Decision)], width: i64) -> Vec<String> {
    let mut sums: HashMap<String, Vec<i64>> = HashMap::new();
    for (_, decision) in decisions {
        let start = (decision.started_ns - decision.started_ns.rem_euclid(width)).to_string();
        let key = line([Some(&*start)].into_iter().chain(decision.facet()));
        let latency = decision.latency_ns();
        let row = [1, i64::from(latency.is_some()), latency.unwrap_or(0)].into_iter().chain(decision.counted);
        let sum = sums.entry(key).or_insert_with(|| vec![0; 3 + COUNTED.len()]);
        sum.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
    }
    let numbers = |sum: &[i64]| sum.iter().map(i64::to_string).collect::<Vec<_>>().join("\t");
    sums.iter().map(|(key, sum)| format!("{key}\t{}", numbers(sum))).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn ns(value: &Value) -> Option<i64> {
    value.as_str().map(|text| text.parse::<Timestamp>().unwrap().nanos() as i64)
}

fn bytes(id: &str) -> [u8; 16] {
    let hex: Vec<u8> = id.bytes().filter(|byte| *byte != b'-').collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    std::array::from_fn(|at| digit(hex[2 * at]) << 4 | digit(hex[2 * at + 1]))
}
