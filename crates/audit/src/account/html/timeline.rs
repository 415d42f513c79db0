//! What happened, step by step, and the graph of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::escape;
use super::marks::pill;
use super::page::{Page, step_link};
use super::words;
use crate::account::graph::{EdgeKind, Graph, NODES_MAX, Step as Drawn, Tone, svg::svg};
use crate::account::model::{Account, Edge, Step, Why};

/// Steps beyond which each turn is folded.
const STEPS_OPEN_MAX: usize = 200;
/// Causes of one step that are named.
const CAUSES_MAX: usize = 12;

pub(super) fn timeline(page: &mut Page<'_>) {
    let account = page.account;
    page.section("timeline", "What happened", |page| {
        let sum = &account.summary;
        let said = [
            Some(words::counted(account.steps.len() as u64, "step")),
            (sum.turns > 1).then(|| words::counted(sum.turns, "request")),
            Some(words::counted(sum.model_calls, "model call")),
            (sum.tool_calls > 0).then(|| words::counted(sum.tool_calls, "tool call")),
            sum.tokens.input.map(|tokens| format!("{} tokens read", words::grouped(tokens))),
            sum.tokens.output.map(|tokens| format!("{} written", words::grouped(tokens))),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        page.paragraph(
            "lead",
            &format!("{}. In the order of cause and effect, never of clocks.", said.join(", ")),
        );
        let end = account.steps.iter().filter(|step| !step.late).filter_map(ends).max().unwrap_or(0);
        let is_long = account.steps.len() > STEPS_OPEN_MAX;
        let mut causes: BTreeMap<usize, Vec<Edge>> = BTreeMap::new();
        for edge in &account.edges {
            causes.entry(edge.to).or_default().push(*edge);
        }
        for (turn, steps) in turns(account) {
            let title = match turn {
                Some(turn) => format!("Turn {turn}"),
                None if steps.iter().all(|step| step.late) => "Afterwards".to_owned(),
                None => "As a whole".to_owned(),
            };
            let is_named = account.summary.turns > 1 || title == "Afterwards";
            if is_long {
                let count = words::counted(steps.len() as u64, "step");
                let _ = writeln!(
                    page.out,
                    "<details class=\"turn\"><summary>{title} <span class=\"dim\">{count}</span></summary>"
                );
            } else if is_named {
                let _ = writeln!(page.out, "<h3 class=\"turn\">{title}</h3>");
            }
            page.out.push_str("<ol class=\"timeline\">\n");
            for step in steps {
                let causes = causes.get(&step.number).map_or(&[][..], Vec::as_slice);
                row(&mut page.out, step, causes, end);
            }
            page.out.push_str(if is_long { "</ol></details>\n" } else { "</ol>\n" });
        }
    });
}

/// When a step ended, nanoseconds after the decision's beginning.
fn ends(step: &Step) -> Option<u64> {
    u64::try_from(step.offset_ns?).ok()?.checked_add(step.took_ns.unwrap_or(0))
}

/// Steps by turn, in the order in which turns began; what belongs to none where it stands.
pub(crate) fn turns(account: &Account) -> Vec<(Option<usize>, Vec<&Step>)> {
    let mut turns: Vec<(Option<usize>, Vec<&Step>)> = Vec::new();
    let mut place_of = BTreeMap::new();
    for step in &account.steps {
        let turn = step.turn.filter(|_| !step.late);
        let same = |turns: &[(Option<usize>, Vec<&Step>)]| {
            let (of, steps) = turns.last()?;
            (*of == turn && steps.last()?.late == step.late).then(|| turns.len() - 1)
        };
        let at = match turn {
            Some(turn) => place_of.get(&turn).copied(),
            None => same(&turns),
        };
        match at {
            Some(at) => turns[at].1.push(step),
            None => {
                turn.map(|turn| place_of.insert(turn, turns.len()));
                turns.push((turn, vec![step]));
            }
        }
    }
    turns
}

fn row(out: &mut String, step: &Step, causes: &[Edge], end: u64) {
    let ended = words::ended(step);
    let mark = if ended.is_empty() { String::new() } else { pill(words::tone(step), &ended) };
    let _ = write!(
        out,
        "<li id=\"step-{0}\"><span class=\"no\">#{0}</span><div class=\"what\"><b>{1}</b> {2} {mark}",
        step.number,
        escape(words::kind(&step.kind)),
        escape(&words::label(step))
    );
    let _ = write!(out, "<div class=\"dim\">{}{}</div></div>", why(causes), entries(step));
    let offset = step.offset_ns.map(words::offset).unwrap_or_default();
    let took = step.took_ns.filter(|ns| *ns > 0).map(words::lasted).unwrap_or_default();
    let _ = write!(out, "<div class=\"time\"><span>{offset}</span><span>{took}</span></div>");
    if let (Some(from), false) = (step.offset_ns.and_then(|ns| u64::try_from(ns).ok()), step.late || end == 0)
    {
        let permille = |ns: u64| ns.min(end).saturating_mul(1_000).checked_div(end).unwrap_or(0);
        let (left, width) = (permille(from), permille(step.took_ns.unwrap_or(0)));
        // Room for the shortest bar.
        let left = left.min(980);
        let _ = write!(
            out,
            "<div class=\"bar\" aria-hidden=\"true\"><i class=\"{}\" style=\"margin-left:{}.{}%;width:{}.{}%\"></i></div>",
            tone_class(words::tone(step)),
            left / 10,
            left % 10,
            width.min(1_000 - left) / 10,
            width.min(1_000 - left) % 10
        );
    }
    out.push_str("</li>\n");
}

fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Caution => "caution",
        Tone::Human => "human",
        Tone::Plain | Tone::Good => "good",
    }
}

/// `after #3 #4 · `.
fn why(causes: &[Edge]) -> String {
    let mut said = String::new();
    for (word, why) in [("part of", Why::Part), ("after", Why::After)] {
        let causes: Vec<usize> = causes.iter().filter(|edge| edge.why == why).map(|edge| edge.from).collect();
        if causes.is_empty() {
            continue;
        }
        let links: Vec<String> = causes.iter().take(CAUSES_MAX).map(|cause| step_link(*cause)).collect();
        let more = match causes.len().checked_sub(CAUSES_MAX) {
            Some(more @ 1..) => format!(" and {more} more"),
            _ => String::new(),
        };
        let _ = write!(said, "{word} {}{more} · ", links.join(" "));
    }
    said
}

fn entries(step: &Step) -> String {
    let entries: Vec<String> = step.proof.entries.iter().map(|entry| words::grouped(*entry)).collect();
    let mark = if step.proof.included { "✓" } else { "✕ not proved" };
    let word = if entries.len() == 1 { "entry" } else { "entries" };
    format!("<a href=\"#proof\">{word} {} {mark}</a>", entries.join(", "))
}

pub(super) fn graph(page: &mut Page<'_>) {
    let account = page.account;
    if account.steps.len() < 3 {
        return;
    }
    page.section("graph", "Graph of the steps", |page| {
        let said = if account.steps.len() > NODES_MAX {
            "Each box stands for steps in a row, turn by turn; it leads to the first of them above."
        } else {
            "Each box is a step, below all that led to it; it leads to the step above. Steps side by side did not wait for each other."
        };
        page.paragraph("lead", said);
        let drawn = drawn(account);
        page.out.push_str("<div class=\"scroll\">\n");
        page.out.push_str(&svg(&drawn, &|order| format!("#step-{order}")));
        page.out.push_str("</div>\n");
        page.out.push_str(
            "<p class=\"legend\"><span class=\"good\">✓ well</span> <span class=\"bad\">✕ failed</span> <span class=\"caution\">▲ refused or given up</span> \
             <span class=\"human\">◆ a person</span> <span class=\"dim\">— led to</span> <span class=\"dim\">┄ part of</span> <span class=\"caution\">↻ tried again</span></p>\n",
        );
    });
}

/// The account's steps as a graph.
pub(crate) fn drawn(account: &Account) -> Graph {
    let steps: Vec<Drawn> = account
        .steps
        .iter()
        .map(|step| {
            let took = step.took_ns.filter(|ns| *ns > 0).map(words::lasted);
            let ended = Some(words::ended(step)).filter(|ended| !ended.is_empty());
            let late = step.offset_ns.filter(|_| step.late).map(words::offset);
            let note: Vec<String> = [ended, took, late].into_iter().flatten().collect();
            Drawn {
                order: step.number,
                turn: step.turn,
                title: words::kind(&step.kind).to_owned(),
                name: words::label(step),
                note: note.join(" · "),
                tone: words::tone(step),
            }
        })
        .collect();
    let mut ties: Vec<(usize, usize, EdgeKind)> = account
        .edges
        .iter()
        .map(|edge| match edge.why {
            Why::After => (edge.from, edge.to, EdgeKind::Cause),
            Why::Part => (edge.from, edge.to, EdgeKind::Part),
        })
        .collect();
    ties.extend(super::tools::retries(account).into_iter().map(|(from, to)| (from, to, EdgeKind::Retry)));
    Graph::of(&steps, &ties)
}
