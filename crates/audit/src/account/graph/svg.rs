//! The graph as inline SVG: no script, no colour of its own (classes take theirs from the page), every box a link to its step.

use std::fmt::Write as _;

use super::layout::{Layout, NODE, layout};
use super::{EdgeKind, Graph, Node, Tone};
use crate::account::html::escape::escape;

/// Widths that a text may take in a box, in narrow characters.
const TITLE_WIDTH_MAX: usize = 17;
const TEXT_WIDTH_MAX: usize = 26;

/// Draws a graph. `link` gives the address of a step.
pub(crate) fn svg(graph: &Graph, link: &dyn Fn(usize) -> String) -> String {
    let plan = layout(graph);
    let Layout { width, height, .. } = plan;
    let mut out = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" style=\"min-width:min(44rem,{width}px)\" role=\"group\" \
         aria-label=\"Graph of the steps, each below what caused it\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0.8 7.5 4 0 7.2z\"/></marker></defs>\n"
    );
    for (edge, line) in graph.edges.iter().zip(&plan.lines) {
        let class = match edge.kind {
            EdgeKind::Cause => "cause",
            EdgeKind::Part => "part",
            EdgeKind::Retry => "retry",
            EdgeKind::Ring => "ring",
        };
        let [from, to] = [edge.from, edge.to].map(|node| graph.nodes[node].order);
        let says = match edge.kind {
            EdgeKind::Cause => format!("#{from} led to #{to}"),
            EdgeKind::Part => format!("#{to} is a part of #{from}"),
            EdgeKind::Retry => format!("#{to} tries again what failed in #{from}"),
            EdgeKind::Ring => format!("#{from} names #{to}, which comes after it, as a cause"),
        };
        let _ = writeln!(out, "<path class=\"e {class}\" d=\"{}\"><title>{says}</title></path>", way(line));
        if edge.kind == EdgeKind::Retry {
            let (first, last) = (line[0], line[line.len() - 1]);
            let (x, y) = (i64::midpoint(first.0, last.0) + 6, i64::midpoint(first.1, last.1) + 4);
            let _ = writeln!(out, "<text class=\"tie\" x=\"{x}\" y=\"{y}\">↻ retry</text>");
        }
    }
    for (node, place) in graph.nodes.iter().zip(&plan.nodes) {
        draw(&mut out, node, *place, &link(node.order));
    }
    out.push_str("</svg>\n");
    out
}

/// The way of a line: curved between layers, straight through them.
fn way(points: &[(i64, i64)]) -> String {
    let [first, rest @ ..] = points else { return String::new() };
    let (mut out, mut from) = (format!("M{} {}", first.0, first.1), *first);
    for pair in rest.chunks(2) {
        let (to, middle) = (pair[0], i64::midpoint(from.1, pair[0].1));
        let _ = write!(out, "C{} {middle} {} {middle} {} {}", from.0, to.0, to.0, to.1);
        from = to;
        if let Some((x, y)) = pair.get(1) {
            let _ = write!(out, "L{x} {y}");
            from = (*x, *y);
        }
    }
    out
}

fn draw(out: &mut String, node: &Node, (x, y): (i64, i64), link: &str) {
    let class = match node.tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Human => "human",
        Tone::Caution => "caution",
        Tone::Bad => "bad",
    };
    let several = if node.steps > 1 { " several" } else { "" };
    let [title, name, note] = [&node.title, &node.name, &node.note].map(|text| escape(text));
    let (width, height) = NODE;
    let _ = writeln!(
        out,
        "<a href=\"{link}\"><svg class=\"n {class}{several}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\">\
         <title>#{} {title} · {name} · {note}</title>",
        node.order
    );
    if node.steps > 1 {
        let _ = write!(
            out,
            "<rect class=\"box\" x=\"4.5\" y=\"4.5\" width=\"{}\" height=\"{}\" rx=\"5\"/>",
            width - 5,
            height - 5
        );
    }
    let inset = if node.steps > 1 { 5 } else { 1 };
    let _ = write!(
        out,
        "<rect class=\"box\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"5\"/><path class=\"icon\" d=\"{}\"/>",
        width - inset,
        height - inset,
        icon(node.tone)
    );
    let cut = |text: &str, max: usize| escape(&shorten(text, max));
    let _ = writeln!(
        out,
        "<text class=\"t\" x=\"27\" y=\"18\">{}</text><text class=\"no\" x=\"{}\" y=\"18\">#{}</text>\
         <text class=\"w\" x=\"10\" y=\"34\">{}</text><text class=\"s\" x=\"10\" y=\"48\">{}</text></svg></a>",
        cut(&node.title, TITLE_WIDTH_MAX),
        width - inset - 8,
        node.order,
        cut(&node.name, TEXT_WIDTH_MAX),
        cut(&node.note, TEXT_WIDTH_MAX)
    );
}

/// Shapes that differ without colour: a dot, a tick in a circle, a head and shoulders, a bar in a triangle, a cross in a square.
fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "M16 11a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
        Tone::Good => "M16 8a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM13.2 14.2l2 2 3.6-4",
        Tone::Human => {
            "M16 8.4a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4zM10.8 20c0-3 2.2-4.6 5.2-4.6s5.2 1.6 5.2 4.6z"
        }
        Tone::Caution => "M16 8l6.4 11.4H9.6zM16 12v3.6M16 17.2v0.6",
        Tone::Bad => "M10.5 8.5h11v11h-11zM13.4 11.4l5.2 5.2M18.6 11.4l-5.2 5.2",
    }
}

/// A text cut to a width, where what is not of the narrow scripts counts twice.
fn shorten(text: &str, max: usize) -> String {
    let width = |c: char| if u32::from(c) < 0x1100 || ('\u{2010}'..='\u{2030}').contains(&c) { 1 } else { 2 };
    if text.chars().map(width).sum::<usize>() <= max {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += width(*c);
        used <= max
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}
