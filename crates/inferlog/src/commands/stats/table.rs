//! The answer as a table.

use std::io::Write;

use inferlog_index::stats::{Latency, Stats, StatsRow, Window};

use crate::output::{BAD, BOLD, DIM, Failure, styled};

/// What a cell says, and whether it is something to look at.
struct Cell(String, bool);

struct Column {
    name: String,
    is_left: bool,
    cell: Box<dyn Fn(&StatsRow) -> Cell>,
}

/// Writes the rows, then the total.
pub(super) fn write(out: &mut impl Write, stats: &Stats) -> Result<(), Failure> {
    let (Some(from), Some(to)) = (&stats.from, &stats.to) else {
        writeln!(out, "{}", styled(DIM, "no decisions"))?;
        return Ok(());
    };
    let columns = columns(stats);
    let rows: Vec<Vec<Cell>> = stats.rows.iter().map(|row| cells(&columns, row)).collect();
    let mut total = cells(&columns, &stats.total);
    let labels = columns.iter().take_while(|column| column.is_left).count();
    for (place, cell) in total.iter_mut().take(labels).enumerate() {
        *cell = Cell(if place == 0 { "total".to_owned() } else { String::new() }, false);
    }
    let width = |place: usize| {
        let cells = rows.iter().chain([&total]).map(|row| row[place].0.chars().count());
        cells.chain([columns[place].name.chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let heads: Vec<Cell> = columns.iter().map(|column| Cell(column.name.clone(), false)).collect();
    writeln!(out, "{}", styled(BOLD, row_text(&columns, &heads, &widths, false)))?;
    for row in &rows {
        writeln!(out, "{}", row_text(&columns, row, &widths, true))?;
    }
    if labels > 0 && rows.len() > 1 {
        let all = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
        writeln!(out, "{}", styled(DIM, "─".repeat(all)))?;
        writeln!(out, "{}", row_text(&columns, &total, &widths, true))?;
    }
    let outcomes: Vec<String> =
        stats.total.outcomes.iter().map(|(outcome, decisions)| format!("{decisions} {outcome}")).collect();
    writeln!(out, "{}", styled(DIM, format!("{} to {}: {}", minute(from), minute(to), outcomes.join(", "))))?;
    if let Some(unpriced) = stats.total.unpriced_decisions.filter(|unpriced| *unpriced > 0) {
        writeln!(
            out,
            "{}",
            styled(DIM, format!("without the cost of {unpriced} decisions whose model has no price"))
        )?;
    }
    Ok(())
}

fn columns(stats: &Stats) -> Vec<Column> {
    let mut columns = Vec::new();
    let by = stats.by;
    if by != Window::None {
        columns.push(Column::left("from", move |row| window(&row.from, by)));
    }
    for dimension in stats.group.clone() {
        columns.push(Column::left(dimension.name(), move |row| {
            row.group.get(&dimension).cloned().flatten().unwrap_or_else(|| "-".to_owned())
        }));
    }
    let total = &stats.total;
    columns.push(Column::right("decisions", |row| Cell(grouped(row.decisions), false)));
    columns.push(Column::right("a second", |row| Cell(rate(row.rate_per_second), false)));
    columns.push(Column::right("failed", |row| share(row.error_rate)));
    columns.push(Column::right("refused", |row| share(row.refusal_rate)));
    for (place, name) in ["p50", "p90", "p95", "p99"].into_iter().enumerate() {
        columns.push(Column::right(name, move |row| {
            let latency =
                |Latency { p50, p90, p95, p99, .. }: &Latency| took([*p50, *p90, *p95, *p99][place]);
            Cell(row.latency_ms.as_ref().map_or("-".into(), latency), false)
        }));
    }
    if total.tokens.input + total.tokens.output > 0 {
        columns.push(Column::right("tokens in", |row| Cell(amount(row.tokens.input), false)));
        columns.push(Column::right("out", |row| Cell(amount(row.tokens.output), false)));
    }
    if total.tokens.cached > 0 {
        columns.push(Column::right("cached", |row| Cell(amount(row.tokens.cached), false)));
    }
    for currency in total.cost.iter().flatten().map(|(currency, _)| currency.clone()) {
        columns.push(Column::right(&currency.clone(), move |row| {
            let cost = row.cost.as_ref().and_then(|cost| cost.get(&currency));
            Cell(cost.map_or("-".into(), |cost| format!("{cost:.2}")), false)
        }));
    }
    if total.tool_calls > 0 {
        columns.push(Column::right("tool calls", |row| Cell(amount(row.tool_calls), false)));
        columns.push(Column::right("failed", |row| {
            Cell(amount(row.tool_calls_failed), row.tool_calls_failed > 0)
        }));
    }
    if total.human_actions > 0 {
        columns.push(Column::right("overridden", |row| share(row.override_rate)));
    }
    if total.labels > 0 {
        columns.push(Column::right("labels", |row| Cell(amount(row.labels), false)));
    }
    columns
}

impl Column {
    fn left(name: &str, cell: impl Fn(&StatsRow) -> String + 'static) -> Self {
        Self { name: name.to_owned(), is_left: true, cell: Box::new(move |row| Cell(cell(row), false)) }
    }

    fn right(name: &str, cell: impl Fn(&StatsRow) -> Cell + 'static) -> Self {
        Self { name: name.to_owned(), is_left: false, cell: Box::new(cell) }
    }
}

fn cells(columns: &[Column], row: &StatsRow) -> Vec<Cell> {
    columns.iter().map(|column| (column.cell)(row)).collect()
}

fn row_text(columns: &[Column], cells: &[Cell], widths: &[usize], colored: bool) -> String {
    let cell = |((column, Cell(text, is_bad)), width): ((&Column, &Cell), &usize)| {
        let pad = " ".repeat(width.saturating_sub(text.chars().count()));
        let text = match (colored, is_bad, text.as_str()) {
            (true, true, _) => styled(BAD, text).to_string(),
            (true, false, "-") => styled(DIM, text).to_string(),
            _ => text.clone(),
        };
        if column.is_left { format!("{text}{pad}") } else { format!("{pad}{text}") }
    };
    let cells: Vec<String> = columns.iter().zip(cells).zip(widths).map(cell).collect();
    cells.join("  ").trim_end().to_owned()
}

/// `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digit != '-' && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number in three or four digits: `950`, `12.3k`, `4.56M`.
fn amount(number: i64) -> String {
    match number.unsigned_abs() {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", number as f64 / 1e6),
        _ => format!("{:.2}G", number as f64 / 1e9),
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 0.1 => format!("{rate:.1}"),
        rate if rate >= 0.001 => format!("{rate:.3}"),
        rate if rate > 0.0 => "<0.001".to_owned(),
        _ => "0".to_owned(),
    }
}

fn share(share: Option<f64>) -> Cell {
    match share {
        None => Cell("-".to_owned(), false),
        Some(0.0) => Cell("0 %".to_owned(), false),
        Some(share) if share < 0.0001 => Cell("<0.01 %".to_owned(), true),
        Some(share) => Cell(format!("{:.2} %", share * 100.0), true),
    }
}

/// A latency with its unit.
fn took(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms if ms < 120_000.0 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.0} min", ms / 60e3),
    }
}

fn window(from: &str, by: Window) -> String {
    match by {
        Window::Day => from.get(..10).unwrap_or(from).to_owned(),
        _ => minute(from),
    }
}

/// `2026-01-31 09:30`.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_their_unit() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567, -1_234].map(grouped),
            ["0", "999", "1,000", "1,234,567", "-1,234"]
        );
        assert_eq!(
            [9_999, 12_345, 4_560_000, 7_000_000_000].map(amount),
            ["9999", "12.3k", "4.56M", "7.00G"]
        );
        assert_eq!(
            [0.25, 4.04, 812.0, 15_000.0, 600_000.0].map(took),
            ["250 µs", "4.0 ms", "812 ms", "15.0 s", "10 min"]
        );
        assert_eq!([0.0, 0.000_2, 0.05, 3.26, 812.4].map(rate), ["0", "<0.001", "0.050", "3.3", "812"]);
        assert_eq!(
            [Some(0.0), Some(0.000_01), Some(0.125), None].map(|s| share(s).0),
            ["0 %", "<0.01 %", "12.50 %", "-"]
        );
    }
}
