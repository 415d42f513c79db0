//! What a policy's detectors cost: alone, and at the gateway's door.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use inferlog_capture::config::routes_from_flags;
use inferlog_capture::recorder::{InForce, Recorder};
use inferlog_detect::{Detectors, Kind, national_countries, phone_countries};
use serde::Serialize;

use super::gateway::{self, Door};
use super::measure::median;
use super::report::section;
use crate::output::Failure;

/// Rounds that medians are taken over.
const ROUNDS: usize = 5;
/// Length of each text that is searched, bytes.
const TEXT_BYTES: usize = 1 << 20;
/// Connections at a time.
const CONNECTIONS: usize = 16;

const PROSE: &str = "The applicant asks for a loan over five years. Her income has been steady since the spring, and nothing speaks \
                     against it; the committee will meet on Thursday and decide. ";
const PEOPLE: &str = r#"{"role":"user","content":"I am Erika Mustermann, erika@example.org, +49 30 901820. Pay to DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111, from 203.0.113.7."} "#;
const NUMBERS: &str = "0.0123456789, -0.2345678901, 12, 1763807121123, 0.5551234567, ";

const HEAD: &str = "version = \"1\"\nprofile = \"other\"\n[[class]]\nname = \"default\"\nfloor = \"1 day\"\ntarget = \"2 days\"\n\
                    legal_basis = \"none\"\n";

/// What detectors cost.
#[derive(Debug, Serialize)]
pub(crate) struct DetectResults {
    pub(crate) texts: Vec<TextRow>,
    pub(crate) doors: Vec<DoorRow>,
}

/// All detectors over one sort of text, on one core.
#[derive(Debug, Serialize)]
pub(crate) struct TextRow {
    pub(crate) text: &'static str,
    /// 10^6 bytes a second.
    pub(crate) megabytes_per_second: f64,
    /// What is found in a million bytes.
    pub(crate) found_per_megabyte: f64,
}

/// The gateway with one policy.
#[derive(Debug, Serialize)]
pub(crate) struct DoorRow {
    pub(crate) policy: &'static str,
    pub(crate) connections: usize,
    pub(crate) decisions_per_second: f64,
    pub(crate) cores: f64,
    /// Against no policy.
    pub(crate) ratio: f64,
}

impl DetectResults {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        section(out, "Detectors", "one of each kind, all countries, on one core")?;
        writeln!(out, "{:>8}  {:>6}  {:>12}", "text", "MB/s", "found per MB")?;
        for row in &self.texts {
            writeln!(
                out,
                "{:>8}  {:>6.0}  {:>12.0}",
                row.text, row.megabytes_per_second, row.found_per_megabyte
            )?;
        }
        section(out, "Door", "the gateway with a policy; client and model share the processors")?;
        writeln!(
            out,
            "{:>13}  {:>11}  {:>11}  {:>5}  {:>7}",
            "policy", "connections", "decisions/s", "cores", "of none"
        )?;
        for row in &self.doors {
            writeln!(
                out,
                "{:>13}  {:>11}  {:>11.0}  {:>5.2}  {:>7.2}",
                row.policy, row.connections, row.decisions_per_second, row.cores, row.ratio
            )?;
        }
        Ok(())
    }
}

/// Measures both; the texts take a quarter of the time.
pub(crate) async fn run(recorder: &Recorder, time: Duration) -> Result<DetectResults, Failure> {
    let slice = time / 4 / (ROUNDS * 3) as u32;
    let texts = tokio::task::spawn_blocking(move || texts(slice)).await??;
    let rules = rules();
    let policies = [("none", None), ("empty", Some("")), ("all detectors", Some(rules.as_str()))];
    let mut doors = Vec::new();
    for (at, (_, rules)) in policies.iter().enumerate() {
        let system = format!("door-{at}");
        if let Some(rules) = rules {
            let text = format!("system = \"{system}\"\n{HEAD}{rules}");
            recorder.put_in_force(InForce::read(&text)?).await?;
        }
        let routes = |upstream: &str| routes_from_flags(upstream, &system, None);
        doors.push(Door::start(recorder, routes).await?);
    }
    let mut phases = vec![Vec::new(); doors.len()];
    for _ in 0..ROUNDS {
        for (door, phases) in doors.iter().zip(&mut phases) {
            phases.push(gateway::run(door.gateway, CONNECTIONS, slice * 3).await?);
        }
    }
    let rates: Vec<f64> =
        phases.iter().map(|of| median(of.iter().map(|phase| phase.requests_per_second))).collect();
    let rows = policies.iter().zip(&phases).zip(&rates).map(|(((policy, _), of), rate)| DoorRow {
        policy,
        connections: CONNECTIONS,
        decisions_per_second: *rate,
        cores: median(of.iter().map(|phase| phase.cores)),
        ratio: rate / rates[0],
    });
    Ok(DetectResults { texts, doors: rows.collect() })
}

/// One detector of each kind.
fn rules() -> String {
    let list = |countries: &mut dyn Iterator<Item = &'static str>| {
        countries.map(|country| format!("\"{country}\"")).collect::<Vec<_>>().join(", ")
    };
    let more = |kind| match kind {
        "phone" => format!("countries = [{}]\n", list(&mut phone_countries())),
        "national" => format!("countries = [{}]\n", list(&mut national_countries())),
        "names" => "names = [\"Erika Mustermann\"]\n".to_owned(),
        _ => String::new(),
    };
    let kinds = ["email", "phone", "iban", "card", "ip", "names", "national"];
    let rule = |kind| {
        format!("[[detector]]\nname = \"{kind}\"\nkind = \"{kind}\"\n{}action = \"drop\"\n", more(kind))
    };
    kinds.map(rule).concat()
}

fn texts(slice: Duration) -> Result<Vec<TextRow>, Failure> {
    let own = |countries: &mut dyn Iterator<Item = &'static str>| countries.map(str::to_owned).collect();
    let detectors = Detectors::new(&[
        ("email", Kind::Email),
        ("phone", Kind::Phone(own(&mut phone_countries()))),
        ("iban", Kind::Iban),
        ("card", Kind::Card),
        ("ip", Kind::Ip),
        ("names", Kind::Names(vec!["Erika Mustermann".to_owned()])),
        ("national", Kind::National(own(&mut national_countries()))),
    ])?;
    let rows = [("prose", PROSE), ("people", PEOPLE), ("numbers", NUMBERS)].map(|(name, sample)| {
        let text = sample.repeat(TEXT_BYTES / sample.len());
        let megabytes = text.len() as f64 / 1e6;
        let mut found = 0;
        let rates: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let (began, mut passes) = (Instant::now(), 0_u32);
                while passes == 0 || began.elapsed() < slice {
                    found = detectors.find(&text).len();
                    passes += 1;
                }
                f64::from(passes) * megabytes / began.elapsed().as_secs_f64()
            })
            .collect();
        let found_per_megabyte = found as f64 / megabytes;
        TextRow { text: name, megabytes_per_second: median(rates), found_per_megabyte }
    });
    Ok(rows.into())
}
