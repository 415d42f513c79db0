//! Plain words as text.

use std::fmt::{self, Display, Write};

use super::{Explanation, Item, Section};

/// Longest line, columns.
const COLUMNS_MAX: usize = 100;
/// How far what stands under a heading is moved in, and under a name, columns.
const INDENT: [usize; 2] = [2, 6];

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Policy of {}, version {}\n", self.system, self.version)?;
        wrap(f, "", &self.lead, 0)?;
        for section in &self.sections {
            writeln!(f)?;
            section.fmt(f)?;
        }
        if !self.findings.is_empty() {
            writeln!(f, "\nWhat was found in it")?;
        }
        for finding in &self.findings {
            let words = format!("{}: {} ({})", finding.place, finding.what, finding.source);
            wrap(f, &format!("  {}  ", pad(finding.severity.as_str(), 7)), &words, 11)?;
        }
        Ok(())
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading)?;
        wrap(f, "  ", &self.lead, INDENT[0])?;
        let width =
            self.items.iter().flat_map(|item| &item.rows).map(|row| row.label.len()).max().unwrap_or(0);
        self.items.iter().try_for_each(|item| item.print(f, width))
    }
}

impl Item {
    fn print(&self, f: &mut impl Write, width: usize) -> fmt::Result {
        let words =
            if self.about.is_empty() { self.name.clone() } else { format!("{}: {}", self.name, self.about) };
        wrap(f, "  - ", &words, 4)?;
        for row in &self.rows {
            let label = format!("{:indent$}{}  ", "", pad(row.label, width), indent = INDENT[1]);
            wrap(f, &label, &row.words, label.chars().count())?;
        }
        Ok(())
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

/// Words after a beginning, in lines that are moved in so far from the second on.
fn wrap(f: &mut impl Write, begin: &str, words: &str, indent: usize) -> fmt::Result {
    let mut line = begin.to_owned();
    let mut is_begun = false;
    for word in words.split_whitespace() {
        let columns = line.chars().count() + 1 + word.chars().count();
        if is_begun && columns > COLUMNS_MAX {
            writeln!(f, "{line}")?;
            line = " ".repeat(indent);
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    writeln!(f, "{}", line.trim_end())
}
