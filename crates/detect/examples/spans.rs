//! Reads texts, one JSON string a line, and prints what the detectors find in each: a JSON array of `[kind, start, end]` a line, places
//! counted in characters. Arguments are the countries whose national numbers are looked for: all, if there are none. The suite in interop/python holds it against the data of other packages.

use std::io::{BufRead, Write};

use inferlog_detect::{Detectors, Kind, national_countries, phone_countries};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let countries = if asked.is_empty() { national_countries().map(str::to_owned).collect() } else { asked };
    let kinds = [
        ("email", Kind::Email),
        ("phone", Kind::Phone(phone_countries().map(str::to_owned).collect())),
        ("iban", Kind::Iban),
        ("card", Kind::Card),
        ("ip", Kind::Ip),
        ("national", Kind::National(countries)),
    ];
    let detectors = Detectors::new(&kinds)?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let chars = |at: usize| text[..at].chars().count();
        let spans = detectors.find(&text);
        let found: Vec<_> =
            spans.iter().map(|span| (kinds[span.rule].0, chars(span.start), chars(span.end))).collect();
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    }
    Ok(())
}
