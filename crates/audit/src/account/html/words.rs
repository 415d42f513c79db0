//! What is said of kinds, ends, times and amounts, in words that need no manual.

use inferlog_record::Timestamp;

use crate::account::graph::Tone;
use crate::account::model::Step;

/// What a step is.
pub(crate) fn kind(kind: &str) -> &str {
    match kind {
        "decision.opened" => "Request",
        "decision.joined" => "Further request",
        "context" => "Context added",
        "inference" => "Model call",
        "retrieval" => "Retrieval",
        "tool_call" => "Tool call",
        "transform" => "Processing",
        "reasoning" => "Reasoning",
        "output" => "Output",
        "delivery" => "Delivery",
        "human" => "Human action",
        "decision.closed" => "End",
        "label" => "Label",
        "biometric.match" => "Biometric match",
        "system.changed" => "Change of the system",
        "alert" => "Alarm",
        "access" => "Access",
        "hold.placed" => "Hold placed",
        "hold.released" => "Hold released",
        "incident" => "Incident",
        "drill" => "Drill",
        other => other,
    }
}

/// What a content is to its step.
pub(crate) fn role(role: &str) -> &str {
    match role {
        "input.raw" => "Input as it came",
        "input.enriched" => "Enriched input",
        "input.assembled" => "What the model was sent",
        "params.requested" => "Parameters as asked for",
        "params.effective" => "Parameters in effect",
        "prompt" => "Prompt",
        "tools" => "Tools offered",
        "output.raw" => "Answer of the model",
        "output.part" => "Piece passed on",
        "output.processed" => "Answer after processing",
        "output.final" => "What the user was shown",
        "explanation" => "Explanation",
        "external_ids" => "Identifiers of others",
        "headers" => "Headers",
        "unlisted" => "Texts behind “unlisted”",
        "error" => "Error",
        "retrieval.query" => "Query",
        "retrieval.document" => "Document",
        "tool.arguments" => "Arguments",
        "tool.result" => "Result",
        "transform.in" => "What went in",
        "transform.out" => "What came out",
        "reasoning" => "Reasoning",
        "human.before" => "Before",
        "human.after" => "After",
        "human.reason" => "Reason",
        "split" => "Taken out and kept apart",
        "label.value" => "Value",
        other => other,
    }
}

/// What a step was about: its label; without one, what it brought.
pub(crate) fn label(step: &Step) -> String {
    if !step.label.is_empty() {
        return step.label.clone();
    }
    let mut roles: Vec<String> =
        step.holds.iter().map(|held| crate::story::lower(self::role(&held.role))).collect();
    roles.dedup();
    roles.truncate(3);
    roles.join(", ")
}

/// How a step ended, as a shape and colour say it.
pub(crate) fn tone(step: &Step) -> Tone {
    match step.outcome.as_deref() {
        _ if step.kind == "human" => Tone::Human,
        Some("ok" | "answered") => Tone::Good,
        Some("failed") => Tone::Bad,
        Some("refused" | "aborted" | "interrupted") => Tone::Caution,
        _ => Tone::Plain,
    }
}

/// `failed: timeout`; empty where a step says nothing of its end.
pub(crate) fn ended(step: &Step) -> String {
    let outcome = step.outcome.as_deref().map(spaced).unwrap_or_default();
    match step.error.as_deref() {
        Some(error) if outcome.is_empty() => spaced(error),
        Some(error) => format!("{outcome}: {}", spaced(error)),
        None => outcome,
    }
}

/// `client_abort` as `client abort`.
pub(crate) fn spaced(text: &str) -> String {
    text.replace('_', " ")
}

/// `12(1), 86; GDPR 17` as `Art. 12(1), 86; GDPR Art. 17`.
pub(crate) fn articles(serves: &str) -> String {
    if serves.is_empty() { String::new() } else { crate::story::articles(serves) }
}

/// A time that passed, nanoseconds: `38 ms`, `2 min 5 s`, `21 days`.
pub(crate) fn lasted(ns: u64) -> String {
    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;
    const MIN: u64 = 60 * S;
    const HOUR: u64 = 60 * MIN;
    const DAY: u64 = 24 * HOUR;
    let two = |unit: u64, name: &str, smaller: u64, smaller_name: &str| match ns % unit / smaller {
        0 => format!("{} {name}", ns / unit),
        rest => format!("{} {name} {rest} {smaller_name}", ns / unit),
    };
    match ns {
        0..MS => format!("{} µs", ns / 1_000),
        MS..S => format!("{} ms", ns / MS),
        S..MIN => {
            let tenths = (ns + 50 * MS) / (100 * MS);
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        MIN..HOUR => two(MIN, "min", S, "s"),
        HOUR..DAY => two(HOUR, "h", MIN, "min"),
        _ if ns / DAY < 3 => two(DAY, if ns / DAY == 1 { "day" } else { "days" }, HOUR, "h"),
        _ => format!("{} days", ns / DAY),
    }
}

/// How long after the beginning: `+1.4 s`; `−` where a clock says before.
pub(crate) fn offset(ns: i64) -> String {
    let sign = if ns < 0 { "−" } else { "+" };
    if ns == 0 { "0".to_owned() } else { format!("{sign}{}", lasted(ns.unsigned_abs())) }
}

/// A time of the record as people write it: `23 November 2026, 09:12:14.002 UTC`; as it is where it is none.
pub(crate) fn moment(text: &str) -> String {
    match (day(text), text.get(11..23)) {
        (Some(day), Some(time)) => format!("{day}, {time} UTC"),
        _ => text.to_owned(),
    }
}

/// Its day: `23 November 2026`.
pub(crate) fn day(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    text.parse::<Timestamp>().ok()?;
    let month: usize = text.get(5..7)?.parse().ok()?;
    let day: u8 = text.get(8..10)?.parse().ok()?;
    Some(format!("{day} {} {}", MONTHS.get(month.checked_sub(1)?)?, text.get(..4)?))
}

/// `1 step`, `1,412 steps`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `1,412`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An amount of bytes: `812 bytes`, `1.2 MB`.
pub(crate) fn bytes(count: usize) -> String {
    let count = count as u64;
    match count {
        0..10_000 => counted(count, "byte"),
        10_000..1_000_000 => format!("{}.{} kB", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts_read_well() {
        let s = 1_000_000_000;
        let said = [
            250_000,
            38_000_000,
            1_284_000_000,
            125 * s,
            7_260 * s,
            86_400 * s,
            180_000 * s,
            21 * 86_400 * s,
        ];
        let expected =
            ["250 µs", "38 ms", "1.3 s", "2 min 5 s", "2 h 1 min", "1 day", "2 days 2 h", "21 days"];
        assert_eq!(said.map(lasted), expected);
        assert_eq!([0, -5_000_000, 7_000_000].map(offset), ["0", "−5 ms", "+7 ms"]);
        assert_eq!(moment("2026-11-23T09:12:14.002250000Z"), "23 November 2026, 09:12:14.002 UTC");
        assert_eq!((moment("<b>"), day("2026-13-01")), ("<b>".to_owned(), None));
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 812, 65_536, 2_500_000].map(bytes), ["1 byte", "812 bytes", "65.5 kB", "2.5 MB"]);
    }
}
