//! Precision and recall over the labelled corpus in `corpus/`, kind by kind, with floors. `cargo test -p inferlog-detect --test corpus --
//! --nocapture` prints the table of docs/detectors.md, and what was missed or found wrongly.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails, fails here, and one that passes prints its table"
)]

use inferlog_detect::{Detectors, Kind, national_countries, phone_countries};

const KINDS: [&str; 7] = ["email", "phone", "iban", "card", "ip", "names", "national"];
const NAMES: [&str; 6] = [
    "Erika Mustermann",
    "Zoë Müller-Lüdenscheidt",
    "Jean-Luc O'Neill",
    "Łukasz Żółć",
    "Ada",
    "Ιωάννης Παπαδόπουλος",
];

/// Precision and recall in per cent that no change may fall below.
const FLOORS: [(&str, f64, f64); 7] = [
    ("email", 100.0, 100.0),
    ("phone", 95.0, 95.0),
    ("iban", 100.0, 95.0),
    ("card", 100.0, 100.0),
    ("ip", 100.0, 95.0),
    ("names", 95.0, 95.0),
    ("national", 95.0, 95.0),
];

fn detectors() -> Detectors {
    let countries =
        |known: &mut dyn Iterator<Item = &'static str>| known.map(str::to_owned).collect::<Vec<_>>();
    let kind = |name| match name {
        "email" => Kind::Email,
        "phone" => Kind::Phone(countries(&mut phone_countries())),
        "iban" => Kind::Iban,
        "card" => Kind::Card,
        "ip" => Kind::Ip,
        "names" => Kind::Names(NAMES.map(str::to_owned).to_vec()),
        _ => Kind::National(countries(&mut national_countries())),
    };
    Detectors::new(&KINDS.map(|name| (name, kind(name)))).unwrap()
}

/// A line without its labels, and what they say: kind, start, end.
fn read(line: &str) -> (String, Vec<(usize, usize, usize)>) {
    let (mut text, mut wanted, mut rest) = (String::new(), Vec::new(), line);
    while let Some((before, labelled)) = rest.split_once("[[") {
        let (kind, labelled) = labelled.split_once('|').unwrap();
        let (found, after) = labelled.split_once("]]").unwrap();
        text.push_str(before);
        let kind = KINDS.iter().position(|known| *known == kind).unwrap();
        wanted.push((kind, text.len(), text.len() + found.len()));
        text.push_str(found);
        rest = after;
    }
    text.push_str(rest);
    (text, wanted)
}

#[derive(Default)]
struct Score {
    wanted: usize,
    found: usize,
    right: usize,
}

#[test]
fn precision_and_recall_stay_above_their_floors() {
    let detectors = detectors();
    let mut scores: [Score; 7] = Default::default();
    let files = [
        include_str!("corpus/letters.txt"),
        include_str!("corpus/machines.txt"),
        include_str!("corpus/nobody.txt"),
    ];
    for line in files.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with("# ")) {
        let (text, wanted) = read(line);
        let found: Vec<_> =
            detectors.find(&text).iter().map(|span| (span.rule, span.start, span.end)).collect();
        for (kind, start, end) in &wanted {
            scores[*kind].wanted += 1;
            if found.contains(&(*kind, *start, *end)) {
                scores[*kind].right += 1;
            } else {
                println!("missed {} {:?} in {text}", KINDS[*kind], &text[*start..*end]);
            }
        }
        for (kind, start, end) in &found {
            scores[*kind].found += 1;
            if !wanted.contains(&(*kind, *start, *end)) {
                println!("wrong {} {:?} in {text}", KINDS[*kind], &text[*start..*end]);
            }
        }
    }
    let per_cent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    println!("| kind | labelled | found | precision | recall |\n| --- | --- | --- | --- | --- |");
    for (name, score) in KINDS.iter().zip(&scores) {
        let (precision, recall) = (per_cent(score.right, score.found), per_cent(score.right, score.wanted));
        println!("| {name} | {} | {} | {precision:.1} % | {recall:.1} % |", score.wanted, score.found);
    }
    for ((name, precision, recall), score) in FLOORS.iter().zip(&scores) {
        assert!(per_cent(score.right, score.found) >= *precision, "precision of {name}");
        assert!(per_cent(score.right, score.wanted) >= *recall, "recall of {name}");
    }
}

/// Numbers of machines, as many as there are: what is about nobody is not found.
#[test]
fn times_ids_fractions_and_amounts_are_about_nobody() {
    let detectors = detectors();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..4_000 {
        let (high, low, some) = (random(u64::MAX), random(u64::MAX), random(1_000_000_000));
        let [hours, minutes, month, day] = [24, 60, 12, 28].map(&mut random);
        let (month, day, digits) = (month + 1, day + 1, random(1 << 30) as f64 + some as f64 / 1e9);
        let (millions, thousands) = (some / 1_000_000, some / 1_000 % 1_000);
        for text in [
            format!("created {}", 1_500_000_000 + random(700_000_000)),
            format!("{{\"seed\":{}}}", 1_500_000_000_000_000 + high % 700_000_000_000_000),
            format!("at 20{:02}{month:02}{day:02}{hours:02}{minutes:02}", 10 + random(30)),
            format!("2026-{month:02}-{day:02}T{hours:02}:{minutes:02}:00.{some:09}Z"),
            format!(
                "{:08x}-{:04x}-7{:03x}-a{:03x}-{:012x}",
                high >> 32,
                high & 0xffff,
                low >> 52,
                low & 0xfff,
                low >> 16
            ),
            format!("{high:016x}{low:016x}"),
            format!("[{digits}, {:.6}, {:.5}]", digits / 1e5, digits / 1e3),
            format!("{digits:.8}"),
            format!("{millions}.{thousands:03}.{:03},{:02} EUR", some % 1_000, low % 100),
            format!("{millions} {thousands:03} {:03} EUR", some % 1_000),
        ] {
            assert!(detectors.find(&text).is_empty(), "{text}: {:?}", detectors.find(&text));
        }
    }
}
