//! Dependencies from outside: none that is unused, none that deny.toml forbids. deny.toml is cargo-deny's own format, so
//! that cargo-deny can be run on it as well (it also reads the list of known vulnerabilities, which needs a network).

use std::collections::BTreeSet;

use serde_json::Value;
use toml::Table;

use super::tree::{Tree, array, text};
use super::{Finding, modules};

const DENY: &str = "deny.toml";

pub(super) fn check_used(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for package in tree.members() {
        let manifest = tree.relative(text(&package["manifest_path"]));
        let mut sources = String::new();
        for file in modules::sources(tree, package)? {
            sources.push_str(&tree.text(&file)?.unwrap_or_default());
        }
        // Where a dependency is there for its features alone, the manifest says so, as cargo-machete reads it.
        let excused = array(&package["metadata"]["cargo-machete"]["ignored"]);
        for dependency in array(&package["dependencies"]) {
            let name = text(&dependency["name"]);
            named.insert(name.to_owned());
            if excused.iter().any(|excused| text(excused) == name) {
                continue;
            }
            let crate_name = match dependency["rename"].as_str() {
                Some(rename) => rename.replace('-', "_"),
                None => library_name(tree, name),
            };
            if !names(&sources, &crate_name) {
                let what = format!(
                    "no source uses `{name}`: delete it, or list it in [package.metadata.cargo-machete]"
                );
                findings.push(Finding::new(&manifest, what));
            }
        }
    }
    let root = tree.text("Cargo.toml")?.unwrap_or_default();
    let root: Table = root.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let listed =
        root.get("workspace").and_then(|table| table.get("dependencies")).and_then(toml::Value::as_table);
    for name in listed.into_iter().flat_map(Table::keys).filter(|name| !named.contains(*name)) {
        findings.push(Finding::new("Cargo.toml", format!("no crate of ours uses `{name}`: delete its line")));
    }
    Ok(findings)
}

/// The name by which sources speak of a package's library.
fn library_name(tree: &Tree, package: &str) -> String {
    let is_library = |target: &&Value| {
        array(&target["kind"]).iter().any(|kind| matches!(text(kind), "lib" | "rlib" | "proc-macro"))
    };
    tree.packages()
        .find(|candidate| text(&candidate["name"]) == package)
        .and_then(|found| array(&found["targets"]).iter().find(is_library))
        .map_or_else(|| package.replace('-', "_"), |library| text(&library["name"]).replace('-', "_"))
}

/// Whether a source speaks of a crate: its name, as a whole word, before `::` or after `use`.
fn names(source: &str, crate_name: &str) -> bool {
    source.match_indices(crate_name).any(|(start, _)| {
        let before = source[..start].chars().next_back();
        let after = &source[start + crate_name.len()..];
        let inner = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(inner)
            && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

pub(super) fn check_deny(tree: &Tree) -> Result<Vec<Finding>, String> {
    let text = tree.text(DENY)?.ok_or("deny.toml is not text")?;
    let policy = Policy::parse(&text)?;
    Ok(tree.packages().filter(|package| !package["source"].is_null()).flat_map(|p| policy.judge(p)).collect())
}

/// What deny.toml says, as far as it is checked here.
struct Policy {
    licences: Vec<spdx::LicenseId>,
    /// Crate and reason.
    banned: Vec<(String, String)>,
    /// Addresses of registries, as the lock file spells them after `registry+`.
    registries: Vec<String>,
}

impl Policy {
    fn parse(text: &str) -> Result<Policy, String> {
        let table: Table = text.parse().map_err(|error| format!("{DENY}: {error}"))?;
        let mut licences = Vec::new();
        for name in strings(&table, "licenses", "allow") {
            licences
                .push(spdx::license_id(&name).ok_or_else(|| format!("{DENY}: `{name}` is no SPDX licence"))?);
        }
        let mut banned = Vec::new();
        for entry in list(&table, "bans", "deny") {
            let field = |key| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let name = field("crate").ok_or_else(|| format!("{DENY}: a ban names no `crate`"))?;
            let reason =
                field("reason").ok_or_else(|| format!("{DENY}: the ban of {name} gives no `reason`"))?;
            banned.push((name, reason));
        }
        Ok(Policy { licences, banned, registries: strings(&table, "sources", "allow-registry") })
    }

    fn judge(&self, package: &Value) -> Vec<Finding> {
        let name = text(&package["name"]);
        let place = format!("Cargo.lock: {name} {}", text(&package["version"]));
        let mut findings = Vec::new();
        let source = text(&package["source"]);
        if !source.strip_prefix("registry+").is_some_and(|at| self.registries.iter().any(|known| known == at))
        {
            findings.push(Finding::new(&place, format!("comes from {source}, which {DENY} does not allow")));
        }
        if let Some((_, reason)) = self.banned.iter().find(|(banned, _)| banned == name) {
            findings.push(Finding::new(
                &place,
                format!("is banned: {reason} (`cargo tree -i {name}` says who uses it)"),
            ));
        }
        let licence = text(&package["license"]);
        if !self.allows(licence) {
            let what = format!(
                "its licence `{licence}` is not covered by {DENY}: replace the crate, or discuss the licence"
            );
            findings.push(Finding::new(&place, what));
        }
        findings
    }

    /// Whether an SPDX expression can be satisfied by allowed licences alone. An exception (`WITH …`) only adds permissions.
    fn allows(&self, expression: &str) -> bool {
        let parsed = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
        parsed.is_ok_and(|expression| {
            expression
                .evaluate(|required| required.license.id().is_some_and(|id| self.licences.contains(&id)))
        })
    }
}

fn list<'a>(table: &'a Table, section: &str, key: &str) -> &'a [toml::Value] {
    let found = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn strings(table: &Table, section: &str, key: &str) -> Vec<String> {
    list(table, section, key).iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> Policy {
        Policy::parse(
            "[licenses]\nallow = [\"MIT\", \"Apache-2.0\"]\n[bans]\ndeny = [{ crate = \"bad\", reason = \"it is bad\" }]\n\
             [sources]\nallow-registry = [\"https://known\"]\n",
        )
        .unwrap()
    }

    #[test]
    fn licences() {
        let table = [
            ("MIT", true),
            ("MIT/GPL-3.0", true),
            ("GPL-3.0-only", false),
            ("(MIT OR Zlib) AND Apache-2.0 WITH LLVM-exception", true),
            ("MIT AND MPL-2.0", false),
            ("", false),
            ("Proprietary!", false),
        ];
        for (expression, expected) in table {
            assert_eq!(policy().allows(expression), expected, "{expression}");
        }
    }

    #[test]
    fn packages() {
        let package = |name: &str, source: &str| json!({"name": name, "version": "1.0.0", "license": "MIT", "source": source});
        assert_eq!(policy().judge(&package("good", "registry+https://known")), []);
        assert_eq!(policy().judge(&package("bad", "registry+https://known")).len(), 1);
        assert_eq!(policy().judge(&package("good", "git+https://known")).len(), 1);
    }

    #[test]
    fn a_ban_needs_a_reason() {
        assert!(Policy::parse("[bans]\ndeny = [{ crate = \"x\" }]").is_err());
    }

    #[test]
    fn use_of_a_crate() {
        assert!(names("use serde::Serialize;", "serde"));
        assert!(names("use serde_json as json;", "serde_json"));
        assert!(!names("serde_json::Value", "serde"));
        assert!(!names("// about serde", "serde"));
    }
}
