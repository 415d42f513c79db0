//! What stands in clear, what happens when recording fails, what is recorded, what it costs.

use super::capture::role;
use super::{Item, Section, row};
use crate::{Failure, Method, Policy, Price};

pub(super) fn clear(policy: &Policy) -> Section {
    let lead = match policy.clear_content.is_empty() {
        true => {
            "Nothing of the content. An index holds times, names, numbers, outcomes, pseudonyms, and digests by which ids are found."
        }
        false => {
            "This content stands in indices in clear too. Whoever reads the index reads it; an erasure deletes it there, not where it \
             was copied to."
        }
    };
    let items = policy.clear_content.iter().map(|one| Item {
        name: one.as_str().to_owned(),
        about: role(*one),
        rows: Vec::new(),
    });
    Section { heading: "What stands in clear?", lead: lead.to_owned(), items: items.collect() }
}

pub(super) fn failure(policy: &Policy) -> Section {
    let lead = match policy.failure {
        Some(Failure::Block) => "No record, no answer: on no route is an answer given that is not recorded.",
        Some(Failure::Degrade) => {
            "The answer is given, unless its route says otherwise. What was not recorded is counted, and the log says how many and when."
        }
        None => "As each route says; where one says nothing: no record, no answer.",
    };
    Section { heading: "What if it cannot be recorded?", lead: lead.to_owned(), items: Vec::new() }
}

pub(super) fn sampling(policy: &Policy) -> Section {
    let heading = "Which decisions are recorded?";
    let Some(sample) = &policy.sampling else {
        return Section { heading, lead: "All.".into(), items: Vec::new() };
    };
    let per_hundred = |millionths: i64| {
        let text = format!("{}.{:04}", millionths / 10_000, millionths % 10_000);
        format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let lead = match &sample.method {
        Method::Systematic { every } => format!("One of {every}, from a random start."),
        Method::Bernoulli { probability } => {
            format!("{} of them, chosen by a keyed digest of the id.", per_hundred(probability.0))
        }
        Method::Stratified { .. } => "Of each of these routes a part; of all others every one.".into(),
    };
    let lead = format!("{lead} Errors, overrides and incidents always are. Those that are not are counted.");
    let words = vec![
        row("because", sample.rationale.clone()),
        row("accepted by", sample.acceptance.clone()),
        row("approved by", sample.approver.clone()),
    ];
    let mut items = Vec::new();
    if let Method::Stratified { strata } = &sample.method {
        items.extend(strata.iter().map(|stratum| Item {
            name: stratum.route.to_string(),
            about: per_hundred(stratum.probability.0),
            rows: Vec::new(),
        }));
    }
    items.push(Item { name: "sampling".into(), about: String::new(), rows: words });
    Section { heading, lead, items }
}

pub(super) fn prices(policy: &Policy) -> Section {
    let items = policy.prices.iter().map(|price| match price {
        Price::Storage { currency, gigabyte_month } => Item {
            name: "storage".into(),
            about: format!("{gigabyte_month} {currency} for a gigabyte and month"),
            rows: Vec::new(),
        },
        Price::Tokens { model, from_ns, currency, input, output, cached } => {
            let from = inferlog_record::Timestamp(*from_ns).to_string();
            let from = match *from_ns {
                0 => String::new(),
                _ => format!(" from {}", from.get(..16).unwrap_or_default().replace('T', " ")),
            };
            let cached = cached.map_or_else(String::new, |cached| format!(", {cached} from a cache"));
            Item {
                name: model.clone(),
                about: format!("{input} {currency} for a million tokens read{cached}, {output} for a million written{from}"),
                rows: Vec::new(),
            }
        }
    });
    let lead = match policy.prices.is_empty() {
        true => "No prices: reports give bytes and tokens alone.",
        false => "Reports of storage and of tokens are in money, by these prices.",
    };
    Section { heading: "What does it cost?", lead: lead.into(), items: items.collect() }
}
