//! The graph of a decision's steps: who caused whom, drawn.
//!
//! Steps become boxes, causes become edges; a step that tries again what failed is tied to the attempt before. Beyond
//! [`NODES_MAX`] steps a box stands for a whole turn, a part of a long one, or several in a row. [`layout`] puts the boxes in
//! layers, each below all that caused it, parallel steps side by side; [`svg`] draws. The same steps give the same drawing.

pub(crate) mod layout;
pub(crate) mod svg;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// Boxes that are drawn; more steps are drawn as groups.
pub(crate) const NODES_MAX: usize = 120;

/// How a step ended, as far as a drawing tells: by colour, by shape and in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// It says nothing of an end.
    #[default]
    Plain,
    /// Well.
    Good,
    /// A person did it.
    Human,
    /// It was refused, given up, or part of a group failed.
    Caution,
    /// It failed.
    Bad,
}

/// One step as it is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its number, from 1, in causal order.
    pub(crate) order: usize,
    /// The request that it belongs to.
    pub(crate) turn: Option<usize>,
    /// What kind of step, in words.
    pub(crate) title: String,
    /// What it was about: a model, a tool, an index.
    pub(crate) name: String,
    /// How it ended and how long it took.
    pub(crate) note: String,
    /// How it ended.
    pub(crate) tone: Tone,
}

/// A box.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Number of its first step.
    pub(crate) order: usize,
    /// How many steps it stands for.
    pub(crate) steps: usize,
    pub(crate) title: String,
    pub(crate) name: String,
    pub(crate) note: String,
    pub(crate) tone: Tone,
}

/// A line from one box to another, by their places in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: EdgeKind,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EdgeKind {
    /// The lower is a part of the upper.
    Part,
    /// The lower came because of the upper.
    Cause,
    /// The lower tries again what the upper tried.
    Retry,
    /// The record contradicts itself: the upper names the lower, which comes after it, as a cause.
    Ring,
}

/// Boxes and lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// From lower places to higher ones, without repetition.
    pub(crate) edges: Vec<Edge>,
}

impl Graph {
    /// The graph of steps that come in causal order, and of what ties them: numbers of steps, from cause to effect.
    pub(crate) fn of(steps: &[Step], ties: &[(usize, usize, EdgeKind)]) -> Self {
        let groups = groups(steps);
        let mut graph = Self::default();
        let mut place_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (place, group) in groups.iter().enumerate() {
            place_of.extend(group.iter().map(|at| (steps[*at].order, place)));
            graph.nodes.push(node(&group.iter().map(|at| &steps[*at]).collect::<Vec<_>>()));
        }
        let mut edges: BTreeMap<(usize, usize), EdgeKind> = BTreeMap::new();
        for (cause, effect, kind) in ties {
            let (Some(&from), Some(&to)) = (place_of.get(cause), place_of.get(effect)) else { continue };
            if from == to {
                continue;
            }
            let kind = if cause > effect { EdgeKind::Ring } else { *kind };
            // Groups may have been under way at the same time: the line goes from the one that began first.
            let known = edges.entry((from.min(to), from.max(to))).or_insert(kind);
            *known = (*known).max(kind);
        }
        graph.edges = edges.into_iter().map(|((from, to), kind)| Edge { from, to, kind }).collect();
        graph
    }
}

/// The steps of each box, by their places, in the order in which boxes begin.
fn groups(steps: &[Step]) -> Vec<Vec<usize>> {
    if steps.len() <= NODES_MAX {
        return (0..steps.len()).map(|at| vec![at]).collect();
    }
    let turns: BTreeSet<usize> = steps.iter().filter_map(|step| step.turn).collect();
    let turns: BTreeMap<usize, usize> = turns.into_iter().zip(0..).collect();
    // Half of the boxes for turns, the other half for what belongs to none. Few turns are long: they are cut.
    let turns_in_one = turns.len().div_ceil(NODES_MAX / 2).max(1);
    let steps_in_one = match (NODES_MAX / 3).checked_sub(turns.len()) {
        Some(room @ 1..) => steps.len().div_ceil(room),
        _ => usize::MAX,
    };
    let besides = steps.iter().filter(|step| step.turn.is_none()).count();
    let besides_in_one = besides.div_ceil(NODES_MAX / 2).max(1);
    let (mut open, mut groups): (BTreeMap<Option<usize>, usize>, Vec<Vec<usize>>) = Default::default();
    for (at, step) in steps.iter().enumerate() {
        let turn = step.turn.and_then(|turn| turns.get(&turn)).map(|turn| turn / turns_in_one);
        let most = if turn.is_some() { steps_in_one } else { besides_in_one };
        match open.get(&turn).filter(|group| groups[**group].len() < most) {
            Some(group) => groups[*group].push(at),
            None => {
                open.insert(turn, groups.len());
                groups.push(vec![at]);
            }
        }
    }
    groups
}

/// The box of a group; a group has at least one step.
fn node(members: &[&Step]) -> Node {
    let [first, rest @ ..] = members else { return Node::default() };
    if rest.is_empty() {
        let Step { order, title, name, note, tone, .. } = (*first).clone();
        return Node { order, steps: 1, title, name, note, tone };
    }
    let turns = members.iter().filter_map(|step| step.turn);
    let title = match (turns.clone().min(), turns.max()) {
        (Some(from), Some(to)) if from < to => format!("Turns {from}–{to}"),
        (Some(turn), _) => format!("Turn {turn}"),
        _ => "Other steps".to_owned(),
    };
    let count = |tone| members.iter().filter(|step| step.tone == tone).count();
    let (bad, caution) = (count(Tone::Bad), count(Tone::Caution));
    let tone = if bad + caution > 0 { Tone::Caution } else { Tone::Good };
    let note = match (bad, caution) {
        (0, 0) => "none failed".to_owned(),
        (bad, 0) => format!("{bad} failed"),
        (0, caution) => format!("{caution} refused or given up"),
        (bad, caution) => format!("{bad} failed, {caution} given up"),
    };
    let last = members.iter().map(|step| step.order).max().unwrap_or(first.order);
    let name = format!("{} steps, #{}–#{last}", members.len(), first.order);
    Node { order: first.order, steps: members.len(), title, name, note, tone }
}
