//! An answer for people: aligned columns, cut to the width of a terminal.

use std::io::{self, Write};

use anstyle::Style;
use inferlog_index::query::{Cell, CellType, QueryColumn};
use inferlog_record::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::{BOLD, DIM, counted};

/// Rows that are looked at before the first is written, to know how wide the columns are.
const ROWS_LOOKED_AT: usize = 500;
/// The narrowest that a column is cut to, characters.
const WIDTH_MIN: usize = 8;
/// The longest text of a cell that is written where no terminal's width cuts it, characters.
const TEXT_MAX: usize = 2_000;
const GAP: &str = "  ";

/// Writes aligned columns.
pub(super) struct Table<W: Write> {
    out: W,
    color: bool,
    terminal: Option<usize>,
    names: Vec<String>,
    /// Whether a column is of numbers, which end where the column ends.
    is_number: Vec<bool>,
    /// Rows that wait for the widths.
    waiting: Vec<Vec<Text>>,
    widths: Option<Vec<usize>>,
    count: u64,
}

struct Text {
    text: String,
    is_null: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W, columns: &[QueryColumn], color: bool, terminal: Option<usize>) -> Self {
        let is_number = |column: &QueryColumn| {
            column.r#type.is_none() || matches!(column.r#type, Some(CellType::Integer | CellType::Real))
        };
        Self {
            out,
            color,
            terminal,
            names: columns.iter().map(|column| printable(&column.name)).collect(),
            is_number: columns.iter().map(is_number).collect(),
            waiting: Vec::new(),
            widths: None,
            count: 0,
        }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.count += 1;
        if self.widths.is_none() {
            for (cell, is_number) in cells.iter().zip(&mut self.is_number) {
                *is_number &= matches!(cell, Cell::Null | Cell::Integer(_) | Cell::Real(_));
            }
        }
        let texts: Vec<Text> = cells.into_iter().map(text).collect();
        if self.widths.is_some() {
            return self.line(&texts);
        }
        self.waiting.push(texts);
        if self.waiting.len() == ROWS_LOOKED_AT { self.begin() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.begin()?;
        let count = counted(self.count, "row");
        self.styled(DIM, &count)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Writes the head and the rows that waited, unless that was done.
    fn begin(&mut self) -> io::Result<()> {
        if self.widths.is_some() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.width()).collect();
        for row in &waiting {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.text.width());
            }
        }
        fit(&mut widths, self.terminal);
        let names = std::mem::take(&mut self.names);
        for (place, (name, width)) in names.iter().zip(&widths).enumerate() {
            self.cell(place, &cut(name, *width), *width, Some(BOLD), place + 1 == names.len())?;
        }
        self.out.write_all(b"\n")?;
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        self.styled(DIM, &rule.join(GAP))?;
        self.out.write_all(b"\n")?;
        self.widths = Some(widths);
        waiting.iter().try_for_each(|row| self.line(row))
    }

    fn line(&mut self, row: &[Text]) -> io::Result<()> {
        let widths = self.widths.clone().unwrap_or_default();
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let style = cell.is_null.then_some(DIM);
            self.cell(place, &cut(&cell.text, *width), *width, style, place + 1 == row.len())?;
        }
        self.out.write_all(b"\n")
    }

    fn cell(
        &mut self,
        place: usize,
        text: &str,
        width: usize,
        style: Option<Style>,
        last: bool,
    ) -> io::Result<()> {
        let pad = " ".repeat(width.saturating_sub(text.width()));
        let is_number = self.is_number.get(place).copied().unwrap_or_default();
        if place > 0 {
            self.out.write_all(GAP.as_bytes())?;
        }
        if is_number {
            self.out.write_all(pad.as_bytes())?;
        }
        match style {
            Some(style) => self.styled(style, text)?,
            None => self.out.write_all(text.as_bytes())?,
        }
        if !is_number && !last {
            self.out.write_all(pad.as_bytes())?;
        }
        Ok(())
    }

    fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        if self.color {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            self.out.write_all(text.as_bytes())
        }
    }
}

/// Takes from the widest columns what does not fit.
fn fit(widths: &mut [usize], terminal: Option<usize>) {
    let Some(terminal) = terminal else {
        widths.iter_mut().for_each(|width| *width = (*width).min(TEXT_MAX));
        return;
    };
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let room = terminal.saturating_sub(gaps);
    while widths.iter().sum::<usize>() > room {
        let over = widths.iter().sum::<usize>() - room;
        let Some(widest) = widths.iter().max().copied().filter(|widest| *widest > WIDTH_MIN) else { return };
        let second =
            widths.iter().filter(|width| **width < widest).max().copied().unwrap_or(0).max(WIDTH_MIN);
        let among = widths.iter().filter(|width| **width == widest).count();
        let each = (widest - second).min(over.div_ceil(among)).max(1);
        widths.iter_mut().filter(|width| **width == widest).for_each(|width| *width -= each);
    }
}

/// The beginning of a text that is too long, with a mark.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut cut, mut taken) = (String::new(), 1);
    for letter in text.chars() {
        taken += letter.width().unwrap_or(0);
        if taken > width {
            break;
        }
        cut.push(letter);
    }
    cut.push('…');
    cut
}

/// A text on one line, that gives a terminal no orders.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            letter if letter.is_control() => '·',
            letter => letter,
        })
        .collect()
}

fn text(cell: Cell) -> Text {
    let is_null = cell == Cell::Null;
    let text = match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Boolean(is) => is.to_string(),
        Cell::Text(text) | Cell::Json(text) => printable(&text),
        Cell::Bytes(bytes) => hex::encode(bytes),
        Cell::Timestamp(nanos) => match u64::try_from(nanos) {
            Ok(nanos) => Timestamp(nanos).to_string(),
            Err(_) => nanos.to_string(),
        },
    };
    Text { text, is_null }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(columns: &[&str], rows: Vec<Vec<Cell>>, width: Option<usize>) -> String {
        let columns: Vec<_> =
            columns.iter().map(|name| QueryColumn { name: (*name).to_owned(), r#type: None }).collect();
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, &columns, false, width);
        rows.into_iter().for_each(|row| table.row(row).unwrap());
        table.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_cut_to_the_terminal() {
        let rows = || {
            vec![
                vec![Cell::Text("credit".into()), Cell::Integer(7), Cell::Text("a\u{1b}[31mb\nc".into())],
                vec![Cell::Text("größe".into()), Cell::Integer(1234), Cell::Null],
            ]
        };
        let columns = ["model", "count", "note"];
        let wide = "model   count  note\n──────  ─────  ─────────\ncredit      7  a·[31mb c\ngröße    1234  null\n2 rows\n";
        assert_eq!(written(&columns, rows(), None), wide);
        let narrow = written(&columns, rows(), Some(22));
        assert!(narrow.lines().all(|line| line.width() <= 23), "{narrow}");
        assert!(narrow.contains("a·[31mb…"), "{narrow}");
        assert_eq!(written(&["n"], Vec::new(), None), "n\n─\n0 rows\n");
    }
}
