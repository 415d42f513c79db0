//! A policy in plain words: what follows from it, for those who answer for it and those whom it concerns. Text and pages print the same
//! words.

mod capture;
mod others;
mod retention;
mod text;

use serde::Serialize;

use crate::{Finding, Policy, Profile};

/// A policy in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The system.
    pub system: String,
    /// Its version.
    pub version: String,
    /// What the system is, and what the law asks of its records.
    pub lead: String,
    /// What follows from it.
    pub sections: Vec<Section>,
    /// What the law, or the policy itself, speaks against in it.
    pub findings: Vec<Finding>,
}

/// What follows from a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The question that it answers.
    pub heading: &'static str,
    /// The answer, in a sentence or two.
    pub lead: String,
    /// Its parts.
    pub items: Vec<Item>,
}

/// One class, one rule, one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its name in the policy.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// What it says, each under a few words.
    pub rows: Vec<Row>,
}

/// A few words, and what is said under them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// A few words.
    pub label: &'static str,
    /// What is said.
    pub words: String,
}

impl Policy {
    /// The policy in plain words.
    pub fn explain(&self) -> Explanation {
        Explanation {
            system: self.system.to_string(),
            version: self.version.to_string(),
            lead: lead(self.profile).to_owned(),
            sections: vec![
                retention::section(self),
                capture::section(self),
                others::clear(self),
                others::failure(self),
                others::sampling(self),
                others::prices(self),
            ],
            findings: self.check(),
        }
    }
}

fn lead(profile: Profile) -> &'static str {
    match profile {
        Profile::HighRisk => {
            "A high-risk AI system. Articles 12, 19 and 26(6) of Regulation (EU) 2024/1689 ask that its logs are kept for at least six \
             months, and longer where other law says so."
        }
        Profile::Biometric => {
            "A high-risk AI system for remote biometric identification. Articles 12, 19 and 26(6) of Regulation (EU) 2024/1689 ask that \
             its logs are kept for at least six months; Article 12(3) says what they hold at least."
        }
        Profile::Other => {
            "No high-risk AI system, says the policy: then Regulation (EU) 2024/1689 asks for no logs of it, and how long records are \
             kept is for other law and for their purpose to say."
        }
    }
}

fn row(label: &'static str, words: impl Into<String>) -> Row {
    Row { label, words: words.into() }
}

/// `a`, `a and b`, `a, b and c`.
fn list<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<T> = words.into_iter().collect();
    words.iter().enumerate().fold(String::new(), |mut list, (at, word)| {
        list.push_str(match at {
            0 => "",
            _ if at + 1 == words.len() => " and ",
            _ => ", ",
        });
        list.push_str(word.as_ref());
        list
    })
}
