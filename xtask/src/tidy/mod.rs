//! The house rules, checked. Every rule is a function from the checkout to findings; a finding names the file and line and
//! says what to do.

mod dependencies;
mod edges;
mod formats;
mod links;
mod modules;
mod sizes;
mod tree;
mod words;

use std::path::Path;
use std::time::Instant;

use tree::Tree;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// `file:line`, or `file`, relative to the checkout.
    place: String,
    /// What is wrong and what to do.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding { place: place.into(), what: what.into() }
    }
}

/// A rule; an `Err` means that it could not be checked, which counts as broken.
struct Rule {
    name: &'static str,
    /// What it asks.
    asks: &'static str,
    check: fn(&Tree) -> Result<Vec<Finding>, String>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "edges",
        asks: "crates depend on each other as ARCHITECTURE.md's table allows, and only so",
        check: edges::check,
    },
    Rule {
        name: "manifests",
        asks: "every crate takes the workspace's lints (no unsafe code) and versions",
        check: edges::check_manifests,
    },
    Rule {
        name: "unused",
        asks: "every dependency that a crate names is used in its sources",
        check: dependencies::check_used,
    },
    Rule {
        name: "deny",
        asks: "licences, sources and banned crates as deny.toml says",
        check: dependencies::check_deny,
    },
    Rule {
        name: "sizes",
        asks: "source files under 800 lines; those over 400 listed in xtask/ratchet.toml, and shrinking",
        check: sizes::check,
    },
    Rule { name: "readme", asks: "README.md has at most 100 lines", check: sizes::check_readme },
    Rule {
        name: "modules",
        asks: "every .rs file is part of a crate, every library starts with its design",
        check: modules::check,
    },
    Rule {
        name: "words",
        asks: "no paths of one machine, no registry hosts, no unfinished business, no wrong dates",
        check: words::check,
    },
    Rule { name: "links", asks: "links between documents lead to files that exist", check: links::check },
    Rule {
        name: "formats",
        asks: "every format of docs/format.md has a frozen example under fixtures/v1",
        check: formats::check,
    },
];

/// Prints the rules' names.
pub(crate) fn list() -> bool {
    for rule in RULES {
        println!("{:<12} {}", rule.name, rule.asks);
    }
    true
}

/// Checks every rule and prints the findings; with `fix`, lowers the ratchet first. Returns whether all rules hold.
pub(crate) fn run(root: &Path, fix: bool) -> bool {
    let started = Instant::now();
    let tree = match Tree::open(root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("tidy: {error}");
            return false;
        }
    };
    if fix && let Err(error) = sizes::lower(&tree) {
        eprintln!("tidy --fix: {error}");
        return false;
    }
    let mut held = 0;
    for rule in RULES {
        let findings = (rule.check)(&tree).unwrap_or_else(|error| vec![Finding::new("not checked", error)]);
        if findings.is_empty() {
            held += 1;
            continue;
        }
        println!("{}: {}", rule.name, rule.asks);
        for finding in findings {
            println!("  {}: {}", finding.place, finding.what);
        }
    }
    println!("tidy: {held} of {} rules hold, {:.1} seconds", RULES.len(), started.elapsed().as_secs_f64());
    held == RULES.len()
}
