//! Which crate may use which. The list here is the rule; ARCHITECTURE.md's table explains it and must say the same.

use serde_json::Value;

use super::Finding;
use super::tree::{Tree, array, text};

/// A crate's folder under `crates/`, the crates of ours that it may use, and what it must not bring in from outside.
struct Part {
    name: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static str],
}

/// What waits, and what reaches the outside world past `disk`. tokio's channels alone (`sync`) do neither.
const ASYNC: &[&str] = &["tokio", "hyper", "hyper-util", "futures", "tower"];
const ASYNC_AND_IO: &[&str] =
    &["tokio", "hyper", "hyper-util", "futures", "tower", "rustix", "getrandom", "tempfile"];

/// From the bottom up: a dependency points to an earlier line, never to a later one.
const PARTS: &[Part] = &[
    Part { name: "record", uses: &[], never: ASYNC_AND_IO },
    Part { name: "merkle", uses: &[], never: ASYNC_AND_IO },
    Part { name: "disk", uses: &[], never: ASYNC },
    Part { name: "vault", uses: &["record", "disk"], never: ASYNC },
    Part { name: "log", uses: &["record", "merkle", "disk"], never: ASYNC },
    Part { name: "registry", uses: &["record", "disk"], never: ASYNC },
    Part { name: "witness", uses: &["merkle", "disk"], never: ASYNC },
    Part { name: "timestamp", uses: &[], never: ASYNC_AND_IO },
    Part { name: "detect", uses: &[], never: ASYNC_AND_IO },
    Part { name: "policy", uses: &["record", "detect"], never: ASYNC_AND_IO },
    Part {
        name: "capture",
        uses: &["record", "disk", "vault", "log", "registry", "detect", "policy"],
        never: &[],
    },
    Part { name: "index", uses: &["record", "merkle", "disk", "vault", "log"], never: &[] },
    Part { name: "contract", uses: &["record", "disk", "vault", "log", "capture"], never: &[] },
    Part {
        name: "audit",
        uses: &["record", "merkle", "disk", "vault", "log", "registry", "timestamp", "policy"],
        never: &[],
    },
    Part { name: "export", uses: &["record", "merkle", "disk", "vault", "log", "audit"], never: &[] },
    Part {
        name: "bundle",
        uses: &["record", "merkle", "disk", "vault", "log", "registry", "timestamp", "audit"],
        never: ASYNC,
    },
];

/// The binary and facade: may use every part, and no part uses it.
const TOP: &str = "inferlog";

/// The file whose table of parts must say what [`PARTS`] says.
const TABLE: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for package in tree.members() {
        check_package(tree, package, &mut findings);
    }
    match tree.text(TABLE) {
        Ok(Some(page)) => findings.extend(compare_table(&page)),
        _ => findings
            .push(Finding::new(TABLE, "is missing; its table of parts says which crate may use which")),
    }
    Ok(findings)
}

fn check_package(tree: &Tree, package: &Value, findings: &mut Vec<Finding>) {
    let manifest = tree.relative(text(&package["manifest_path"]));
    let Some(name) = manifest.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml"))
    else {
        for (dependency, _) in dependencies(package) {
            if part_of(dependency).is_some() {
                let what = format!("uses {dependency}: xtask is compiled first and uses no crate of ours");
                findings.push(Finding::new(&manifest, what));
            }
        }
        return;
    };
    if name == TOP {
        return;
    }
    let Some(position) = PARTS.iter().position(|part| part.name == name) else {
        let what = format!(
            "the crate is not in xtask's list of parts; add it there and to {TABLE}'s table, with its edges"
        );
        findings.push(Finding::new(&manifest, what));
        return;
    };
    let part = &PARTS[position];
    for (dependency, kind) in dependencies(package) {
        // Tests may use any part further down, to stand on the real thing.
        let what = match (part_of(dependency), kind) {
            (Some(used), "dev") if PARTS[..position].iter().any(|below| below.name == used) => continue,
            (Some(used), _) if part.uses.contains(&used) => continue,
            (Some(_), _) => {
                format!("`{name}` may not use {dependency}: its edges are {:?}, see {TABLE}", part.uses)
            }
            (None, "dev") => continue,
            (None, _) if !part.never.contains(&dependency) => continue,
            (None, _) => format!(
                "`{name}` may not use {dependency}: it does not wait or reach out, save through `disk`"
            ),
        };
        findings.push(Finding::new(line_of(tree, &manifest, dependency), what));
    }
}

/// Each dependency's package name and kind (`normal`, `dev`, `build`), tokio's channels left out.
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, &str)> {
    let is_channels = |dependency: &&Value| {
        text(&dependency["name"]) == "tokio"
            && array(&dependency["features"]).iter().all(|name| text(name) == "sync")
    };
    array(&package["dependencies"])
        .iter()
        .filter(move |dependency| !is_channels(dependency))
        .map(|dependency| (text(&dependency["name"]), dependency["kind"].as_str().unwrap_or("normal")))
}

/// The part that a package name stands for: `inferlog-log` is `log`, `inferlog` is the top.
fn part_of(package: &str) -> Option<&str> {
    if package == TOP { Some(TOP) } else { package.strip_prefix("inferlog-") }
}

fn line_of(tree: &Tree, file: &str, word: &str) -> String {
    let text = tree.text(file).ok().flatten().unwrap_or_default();
    let line = text.lines().position(|line| line.trim_start().starts_with(word));
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{}", line + 1))
}

/// Compares the rows ``| `crates/NAME` | … | uses |`` with [`PARTS`].
fn compare_table(page: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let Some(name) = cells[0].strip_prefix("`crates/").and_then(|rest| rest.strip_suffix('`')) else {
            continue;
        };
        let (Some(part), Some(uses)) = (PARTS.iter().find(|part| part.name == name), cells.get(2)) else {
            continue;
        };
        seen.push(name);
        // What stands in brackets narrows an edge for the reader: "vault (openings)".
        let uses: Vec<&str> = uses
            .split(',')
            .map(|used| used.split('(').next().unwrap_or_default().trim())
            .filter(|used| !used.is_empty())
            .collect();
        if uses != part.uses {
            let what = format!(
                "says that `{name}` may use {uses:?}, xtask's list says {:?}; make them the same",
                part.uses
            );
            findings.push(Finding::new(format!("{TABLE}:{}", number + 1), what));
        }
    }
    let missing = PARTS.iter().filter(|part| !seen.contains(&part.name));
    findings
        .extend(missing.map(|part| {
            Finding::new(TABLE, format!("its table of parts has no row `crates/{}`", part.name))
        }));
    findings
}

pub(super) fn check_manifests(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let root = tree.text("Cargo.toml")?.unwrap_or_default();
    if !root.lines().any(|line| line == "unsafe_code = \"deny\"") {
        findings.push(Finding::new("Cargo.toml", "[workspace.lints.rust] must say unsafe_code = \"deny\""));
    }
    for package in tree.members() {
        let manifest = tree.relative(text(&package["manifest_path"]));
        let Some(source) = tree.text(&manifest)? else { continue };
        findings.extend(check_manifest(&manifest, &source)?);
    }
    Ok(findings)
}

fn check_manifest(manifest: &str, source: &str) -> Result<Vec<Finding>, String> {
    let table: toml::Table = source.parse().map_err(|error| format!("{manifest}: {error}"))?;
    let mut findings = Vec::new();
    if table.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true)) {
        findings.push(Finding::new(
            manifest,
            "add `[lints]` with `workspace = true`: the lints deny unsafe code",
        ));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = table.get(section).and_then(toml::Value::as_table) else { continue };
        for (name, value) in dependencies {
            if value.get("workspace") != Some(&toml::Value::Boolean(true)) {
                let what = format!(
                    "`{name}` must say `workspace = true`: versions are decided in the root's Cargo.toml"
                );
                findings.push(Finding::new(manifest, what));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_points_up() {
        for (position, part) in PARTS.iter().enumerate() {
            for used in part.uses {
                assert!(
                    PARTS[..position].iter().any(|below| below.name == *used),
                    "{} uses {used}",
                    part.name
                );
            }
        }
    }

    fn table() -> String {
        let row =
            |part: &Part| format!("| `crates/{}` | what it is | {} |\n", part.name, part.uses.join(", "));
        PARTS.iter().map(row).collect()
    }

    #[test]
    fn a_table_that_says_the_same_passes() {
        assert_eq!(compare_table(&table()), []);
        let narrowed = table().replace("disk, vault,", "disk, vault (openings),");
        assert_ne!(narrowed, table());
        assert_eq!(compare_table(&narrowed), []);
    }

    #[test]
    fn a_table_that_differs_is_found() {
        let wrong = table().replacen("| record, disk |", "| record |", 1);
        let findings = compare_table(&wrong);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "ARCHITECTURE.md:4");
        let without = table().lines().skip(1).collect::<Vec<_>>().join("\n");
        assert_eq!(compare_table(&without).len(), 1);
    }

    #[test]
    fn manifests() {
        let good = "[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n";
        assert_eq!(check_manifest("Cargo.toml", good).unwrap(), []);
        let bad = "[dependencies]\nserde = \"1\"\n";
        assert_eq!(check_manifest("Cargo.toml", bad).unwrap().len(), 2);
    }
}
