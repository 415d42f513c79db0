//! What is kept, as text.

use std::io::Write;

use inferlog_capture::recorder::ClassHoldings;

use super::plan::day;
use crate::admin::SystemKept;
use crate::commands::verify::size;
use crate::output::{BAD, BOLD, DIM, Failure, styled};

/// Prints what every system keeps.
pub(super) fn print(out: &mut impl Write, kept: &[SystemKept]) -> Result<(), Failure> {
    if kept.is_empty() {
        writeln!(out, "there is no system here yet")?;
    }
    for (place, kept) in kept.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        system(out, kept)?;
    }
    Ok(())
}

fn system(out: &mut impl Write, kept: &SystemKept) -> Result<(), Failure> {
    let holdings = &kept.holdings;
    let policy = holdings.policy.as_ref().map_or("no policy".to_owned(), |id| format!("policy {id}"));
    writeln!(out, "{}  {}", styled(BOLD, &holdings.system), styled(DIM, policy))?;
    let rows: Vec<[String; 6]> = holdings.classes.iter().map(row).collect();
    let head = ["class", "entries", "log", "payloads", "oldest", "next due"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let cell = |(column, text): (usize, &String)| match column {
            1..=3 => format!("{text:>width$}", width = widths[column]),
            _ => format!("{text:width$}", width = widths[column]),
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "  {}", styled(DIM, line(&head)))?;
    for (row, class) in rows.iter().zip(&holdings.classes) {
        writeln!(out, "  {}", line(row))?;
        details(out, class)?;
    }
    writeln!(
        out,
        "  {}",
        styled(
            DIM,
            format!("hashes, checkpoints and what is derived beside the log: {}", size(holdings.other_bytes))
        )
    )?;
    if holdings.older_bytes > 0 {
        let words =
            format!("older epochs of the log, of which nothing is removed: {}", size(holdings.older_bytes));
        writeln!(out, "  {}", styled(DIM, words))?;
    }
    money(out, kept)
}

fn row(class: &ClassHoldings) -> [String; 6] {
    let none = || "-".to_owned();
    [
        class.class.clone(),
        class.entries.to_string(),
        size(class.log_bytes),
        size(class.pack_bytes),
        class.oldest.map_or_else(none, day),
        class.next_due.map_or_else(none, day),
    ]
}

fn details(out: &mut impl Write, class: &ClassHoldings) -> Result<(), Failure> {
    match &class.rule {
        Some(rule) => {
            let ceiling =
                rule.ceiling.as_ref().map_or(String::new(), |ceiling| format!(", at most {ceiling}"));
            let words = format!("{}, at least {}{ceiling}: {}", rule.target, rule.floor, rule.legal_basis);
            writeln!(out, "    {}", styled(DIM, words))?;
        }
        None if class.class == "permanent" => writeln!(out, "    {}", styled(DIM, "kept for good"))?,
        None => writeln!(out, "    {} not in the policy: never removed", styled(BAD, "no rule"))?,
    }
    if class.kept_bytes > 0 {
        writeln!(out, "    {}", styled(DIM, format!("{} of it kept under holds", size(class.kept_bytes))))?;
    }
    if class.past_ceiling > 0 {
        writeln!(
            out,
            "    {} {} entries are older than the ceiling",
            styled(BAD, "overdue"),
            class.past_ceiling
        )?;
    }
    Ok(())
}

fn money(out: &mut impl Write, kept: &SystemKept) -> Result<(), Failure> {
    let year = kept.forecast.last().copied().unwrap_or(kept.bytes);
    writeln!(out, "  in all {}; in twelve months {}", size(kept.bytes), size(year))?;
    if let (Some((currency, price)), Some(cost)) = (&kept.price, &kept.cost) {
        let (now, then) = (cost.first().copied().unwrap_or(0.0), cost.last().copied().unwrap_or(0.0));
        let sum: f64 = cost.iter().skip(1).sum();
        writeln!(
            out,
            "  {now:.2} {currency} a month at {price} {currency} a gigabyte; in twelve months {then:.2}; {sum:.2} over the year"
        )?;
    }
    let words = "the forecast adds each day what the last 28 days did on average, and removes what comes to be due; holds stand as they do";
    writeln!(out, "  {}", styled(DIM, words))?;
    Ok(())
}
