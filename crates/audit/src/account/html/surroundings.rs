//! The model, its parameters and prompts; the surroundings that the system ran in.

use std::fmt::Write as _;

use super::escape::escape;
use super::page::{Page, code, step_link};
use super::words;
use crate::account::parts::{ModelCall, PromptUsed};

pub(super) fn models(page: &mut Page<'_>) {
    let account = page.account;
    if account.models.is_empty() {
        return;
    }
    page.section("model", "Model and parameters", |page| {
        page.each(&account.models, "model call", |page, call| {
            let name =
                call.returned.as_deref().or(call.requested.as_deref()).unwrap_or("a model without a name");
            page.step_heading(call.step, name);
            facts_of(page, call);
            page.out.push_str("<div class=\"pair\">\n");
            page.held(call.params_requested.as_ref());
            page.held(call.params_effective.as_ref());
            page.out.push_str("</div>\n");
            page.held(call.offered.as_ref());
        });
    });
}

/// What is to be said of a call's model; of the same model as in the call before only that.
fn facts_of(page: &mut Page<'_>, call: &ModelCall) {
    let account = page.account;
    let at = account.models.partition_point(|other| other.step < call.step);
    let before = at.checked_sub(1).and_then(|before| account.models.get(before));
    let mut facts = facts(call);
    if let Some(before) = before {
        let known = self::facts(before);
        let is_same = SAME.iter().all(|name| find(&facts, name) == find(&known, name));
        if is_same {
            facts.retain(|(name, _)| !SAME.contains(name));
            let _ =
                writeln!(page.out, "<p class=\"same\">The same model as in {}.</p>", step_link(before.step));
        }
    }
    page.facts(&facts);
}

/// What names a model.
const SAME: [&str; 8] = [
    "Asked for",
    "Answered",
    "Version",
    "Identity",
    "Digest",
    "Fingerprint",
    "Deployment",
    "In the registry",
];

fn find<'f>(facts: &'f [(&str, Option<String>)], name: &str) -> Option<&'f str> {
    facts.iter().find(|(other, _)| *other == name).and_then(|(_, value)| value.as_deref())
}

fn facts(call: &ModelCall) -> Vec<(&'static str, Option<String>)> {
    let named = |field: &str, value: &Option<String>| match (value, call.absent.get(field)) {
        (Some(value), _) => Some(code(value)),
        (None, Some(why)) => {
            Some(format!("<span class=\"absent\">absent: {}</span>", escape(&words::spaced(why))))
        }
        (None, None) => None,
    };
    let identity = match call.identity.as_str() {
        "exact" => "the names pin one model",
        "alias" => "an alias: it may mean another model tomorrow",
        _ => "not known which model",
    };
    let tokens = [
        call.tokens.input.map(|count| format!("{} read", words::grouped(count))),
        call.tokens
            .cached
            .filter(|count| *count > 0)
            .map(|count| format!("{} of them cached", words::grouped(count))),
        call.tokens.output.map(|count| format!("{} written", words::grouped(count))),
        call.tokens
            .reasoning
            .filter(|count| *count > 0)
            .map(|count| format!("{} of them reasoning", words::grouped(count))),
    ];
    let tokens: Vec<String> = tokens.into_iter().flatten().collect();
    let registered = call.registered.as_ref().map(|registered| {
        let by = if registered.by == "digest" {
            "by its digest"
        } else {
            "by its name alone: the record has no digest to compare"
        };
        escape(&format!(
            "{} version {}, at {} ({by})",
            registered.name, registered.version, registered.location
        ))
    });
    vec![
        ("Asked for", named("requested", &call.requested)),
        ("Answered", named("returned", &call.returned)),
        ("Version", named("version", &call.version)),
        ("Identity", Some(identity.to_owned())),
        ("Digest", named("digest", &call.digest)),
        ("Fingerprint", named("fingerprint", &call.fingerprint)),
        ("Deployment", named("deployment", &call.deployment)),
        ("In the registry", registered),
        ("Why it stopped", call.finish_reason.as_deref().map(|why| escape(&words::spaced(why)))),
        ("Error", call.error.as_deref().map(|error| escape(&words::spaced(error)))),
        ("Tokens", (!tokens.is_empty()).then(|| tokens.join(", "))),
        ("First byte", call.time_to_first_byte_ns.map(|ns| format!("after {}", words::lasted(ns)))),
    ]
}

pub(super) fn prompts(page: &mut Page<'_>) {
    let account = page.account;
    if account.prompts.is_empty() && account.toolsets.is_empty() {
        return;
    }
    page.section("prompts", "Prompts and tools", |page| {
        for prompt in &account.prompts {
            self::prompt(page, prompt);
        }
        for tools in &account.toolsets {
            let title = format!("Tools: {}, version {}", tools.name, tools.version);
            given_to(page, &tools.steps, &title);
            page.facts(&[("SHA-256", Some(code(&tools.sha256)))]);
            match &tools.json {
                Some(json) => page.registered(json, true),
                None => page.paragraph("absent", NOT_HELD),
            }
        }
    });
}

const NOT_HELD: &str = "The registry of this data directory does not hold it.";

fn prompt(page: &mut Page<'_>, prompt: &PromptUsed) {
    let name = prompt.name.as_ref().map_or(String::new(), |name| format!(": {name}"));
    let version = prompt.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    let title = format!("{} prompt{name}{version}", super::marks::capital(&words::spaced(&prompt.role)));
    given_to(page, &prompt.steps, &title);
    page.facts(&[("SHA-256", prompt.sha256.as_deref().map(code))]);
    match (&prompt.text, &prompt.payload) {
        (Some(text), _) => page.registered(text, false),
        (None, Some(held)) => page.held(Some(held)),
        (None, None) => page.paragraph("absent", NOT_HELD),
    }
}

/// A heading of what several model calls may have been given.
fn given_to(page: &mut Page<'_>, steps: &[usize], title: &str) {
    let links = super::page::step_links(steps);
    let _ = writeln!(page.out, "<h3><span class=\"t\">{}</span> {}</h3>", escape(title), links);
}

pub(super) fn context(page: &mut Page<'_>) {
    let account = page.account;
    let identity = &account.identity;
    page.section("context", "Context", |page| {
        let joined = |list: &[String]| (!list.is_empty()).then(|| escape(&list.join(", ")));
        let subjects: Vec<String> = identity.subjects.iter().map(|subject| code(subject)).collect();
        page.facts(&[
            ("System", Some(escape(&identity.system))),
            ("Role", identity.role.as_deref().map(escape)),
            ("Purposes, Art. 12(2)", joined(&identity.purposes)),
            ("Wire", identity.wire.as_deref().map(escape)),
            ("About (pseudonyms)", (!subjects.is_empty()).then(|| subjects.join(" "))),
            ("Captured by", joined(&identity.capture)),
            ("Retention class", joined(&identity.retention)),
            ("Exchange", identity.exchange.as_deref().map(|end| escape(&words::spaced(end)))),
        ]);
        for told in &account.context {
            let row = [
                ("Environment", told.environment.as_deref().map(escape)),
                ("Build", told.build.as_deref().map(escape)),
                ("Region", told.region.as_deref().map(escape)),
                ("Variant", told.variant.as_deref().map(escape)),
                ("Flags", joined(&told.flags)),
            ];
            if row.iter().any(|(_, value)| value.is_some()) {
                let _ = writeln!(
                    page.out,
                    "<h3><span class=\"t\">Surroundings</span> {}</h3>",
                    step_link(told.step)
                );
                page.facts(&row);
            }
        }
        for held in page.unshown() {
            page.held(Some(&held));
        }
    });
}
