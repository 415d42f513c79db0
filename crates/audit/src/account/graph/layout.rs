//! Where boxes and lines go.
//!
//! A box is one layer below the lowest of its causes (longest path), lower where a layer is full. A line over several layers goes
//! through a place that is kept free for it in each. Within layers the order is that of the neighbours' means, swept up and down,
//! and the one with the fewest crossings is kept; then each box moves as near to the mean of its neighbours as the others let it
//! (isotonic regression), so that boxes never overlap. Whole pixels throughout: the drawing is the same everywhere.

use std::collections::BTreeMap;

use super::{EdgeKind, Graph};

/// Width and height of a box, pixels.
pub(crate) const NODE: (i64, i64) = (172, 56);
/// Boxes side by side; more go into the next layer.
const NODES_IN_LAYER_MAX: usize = 5;
/// Between boxes of a layer, and beside the place of a line, pixels.
const GAP: i64 = 16;
const LANE_GAP: i64 = 7;
/// Between layers, pixels.
const LAYER_GAP: i64 = 34;
/// Around it all, pixels.
const MARGIN: i64 = 6;
/// Width of the place that is kept for a line, pixels.
const LANE: i64 = 4;
/// How much more strongly such places are tied to each other than to boxes, so that long lines are straight.
const LANE_WEIGHT: i64 = 16;
/// Places kept for lines; the longest lines of a tangle go behind boxes instead.
const LANES_MAX: usize = 4_000;
/// Sweeps for the order within layers, and for places.
const SWEEPS: usize = 8;

/// The drawing's measures, pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) width: i64,
    pub(crate) height: i64,
    /// Left upper corner of each box, in the order of the graph's.
    pub(crate) nodes: Vec<(i64, i64)>,
    /// For each line the points at which it leaves, passes and reaches layers: pairs of points are straight, the way from pair
    /// to pair is curved. In the order of the graph's.
    pub(crate) lines: Vec<Vec<(i64, i64)>>,
}

/// A box or a place kept for a line.
#[derive(Clone, Debug, Default)]
struct Vertex {
    width: i64,
    /// Neighbours above and below, with their weights.
    above: Vec<(usize, i64)>,
    below: Vec<(usize, i64)>,
    /// Place in its layer.
    at: usize,
    /// Centre.
    x: i64,
}

struct Plan {
    vertices: Vec<Vertex>,
    layers: Vec<Vec<usize>>,
    /// For each line the vertices that it passes.
    routes: Vec<Vec<usize>>,
}

/// Lays a graph out.
pub(crate) fn layout(graph: &Graph) -> Layout {
    let layer_of = assign(graph);
    let mut plan = Plan::new(graph, &layer_of);
    plan.order();
    plan.place();
    let left = |vertex: &Vertex| vertex.x - vertex.width / 2;
    let min = plan.vertices.iter().map(left).min().unwrap_or(0);
    let max = plan.vertices.iter().map(|vertex| left(vertex) + vertex.width).max().unwrap_or(0);
    let top = |layer: usize| MARGIN + layer as i64 * (NODE.1 + LAYER_GAP);
    let x = |vertex: usize| plan.vertices[vertex].x - min + MARGIN;
    let boxes = (0..graph.nodes.len()).map(|node| (x(node) - NODE.0 / 2, top(layer_of[node])));
    let lines = graph.edges.iter().zip(&plan.routes).map(|(edge, route)| {
        let first = layer_of[edge.from];
        let mut points = vec![(x(edge.from), top(first) + NODE.1)];
        for (layer, vertex) in (first + 1..).zip(route) {
            points.push((x(*vertex), top(layer)));
            points.push((x(*vertex), top(layer) + NODE.1));
        }
        points.push((x(edge.to), top(layer_of[edge.to])));
        points
    });
    let layers = plan.layers.len() as i64;
    Layout {
        width: max - min + 2 * MARGIN,
        height: layers * (NODE.1 + LAYER_GAP) - LAYER_GAP.min(layers * LAYER_GAP) + 2 * MARGIN,
        nodes: boxes.collect(),
        lines: lines.collect(),
    }
}

/// How strongly a line draws its ends below each other.
fn weight(kind: EdgeKind) -> i64 {
    match kind {
        EdgeKind::Part | EdgeKind::Ring => 1,
        EdgeKind::Cause => 8,
        EdgeKind::Retry => 64,
    }
}

/// The layer of each box.
fn assign(graph: &Graph) -> Vec<usize> {
    let mut layer_of = vec![0; graph.nodes.len()];
    let mut counts: Vec<usize> = Vec::new();
    let mut edges = graph.edges.clone();
    // Lines go from lower places to higher ones, so that what is above has its layer already.
    edges.sort_unstable_by_key(|edge| edge.to);
    let mut edges = edges.into_iter().peekable();
    for node in 0..graph.nodes.len() {
        let mut layer = 0;
        while let Some(edge) = edges.next_if(|edge| edge.to == node) {
            layer = layer.max(layer_of[edge.from] + 1);
        }
        while counts.get(layer).is_some_and(|count| *count >= NODES_IN_LAYER_MAX) {
            layer += 1;
        }
        counts.resize(counts.len().max(layer + 1), 0);
        counts[layer] += 1;
        layer_of[node] = layer;
    }
    layer_of
}

impl Plan {
    fn new(graph: &Graph, layer_of: &[usize]) -> Self {
        let layers = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut plan = Self {
            vertices: vec![Vertex { width: NODE.0, ..Vertex::default() }; graph.nodes.len()],
            layers: vec![Vec::new(); layers],
            routes: vec![Vec::new(); graph.edges.len()],
        };
        for (node, layer) in layer_of.iter().enumerate() {
            plan.layers[*layer].push(node);
        }
        plan.route(graph, layer_of);
        plan.number();
        plan
    }

    /// Keeps places for lines over several layers. Lines that leave one box, or reach one, share theirs.
    fn route(&mut self, graph: &Graph, layer_of: &[usize]) {
        let (mut leave, mut reach) = (vec![0; layer_of.len()], vec![0; layer_of.len()]);
        for edge in &graph.edges {
            leave[edge.from] += 1;
            reach[edge.to] += 1;
        }
        let span = |at: &usize| layer_of[graph.edges[*at].to] - layer_of[graph.edges[*at].from];
        let mut shortest: Vec<usize> = (0..graph.edges.len()).collect();
        shortest.sort_by_key(span);
        let mut lanes: BTreeMap<(bool, usize, usize), usize> = BTreeMap::new();
        let mut ties: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for at in shortest {
            let edge = graph.edges[at];
            let between = layer_of[edge.from] + 1..layer_of[edge.to];
            if lanes.len() + between.len() > LANES_MAX {
                break;
            }
            let by_source = leave[edge.from] > reach[edge.to];
            let end = if by_source { edge.from } else { edge.to };
            for layer in between {
                let lane = *lanes.entry((by_source, end, layer)).or_insert_with(|| {
                    self.vertices.push(Vertex { width: LANE, ..Vertex::default() });
                    self.layers[layer].push(self.vertices.len() - 1);
                    self.vertices.len() - 1
                });
                self.routes[at].push(lane);
            }
            let weight = weight(edge.kind);
            let way = [vec![edge.from], self.routes[at].clone(), vec![edge.to]].concat();
            for pair in way.windows(2) {
                let is_lane = |vertex: &usize| self.vertices[*vertex].width == LANE;
                let weight = if pair.iter().all(is_lane) { weight * LANE_WEIGHT } else { weight };
                let known = ties.entry((pair[0], pair[1])).or_insert(weight);
                *known = (*known).max(weight);
            }
        }
        for ((above, below), weight) in ties {
            self.vertices[above].below.push((below, weight));
            self.vertices[below].above.push((above, weight));
        }
    }

    /// Tells each vertex its place in its layer.
    fn number(&mut self) {
        for layer in &self.layers {
            for (at, vertex) in layer.iter().enumerate() {
                self.vertices[*vertex].at = at;
            }
        }
    }

    /// Orders the layers: the best of several sweeps.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            for at in 0..self.layers.len() {
                let at = if down { at } else { self.layers.len() - 1 - at };
                let mut layer = std::mem::take(&mut self.layers[at]);
                layer.sort_by_key(|vertex| self.mean(*vertex, down, |vertex| vertex.at as i64 * 1_000));
                for (place, vertex) in layer.iter().enumerate() {
                    self.vertices[*vertex].at = place;
                }
                self.layers[at] = layer;
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
        self.number();
    }

    /// The weighted mean of something of the neighbours above or below; its own without any.
    fn mean(&self, vertex: usize, of_above: bool, what: impl Fn(&Vertex) -> i64) -> i64 {
        let vertex = &self.vertices[vertex];
        let neighbours = if of_above { &vertex.above } else { &vertex.below };
        let weights: i64 = neighbours.iter().map(|(_, weight)| weight).sum();
        let sum: i64 = neighbours.iter().map(|(other, weight)| what(&self.vertices[*other]) * weight).sum();
        sum.checked_div(weights).unwrap_or_else(|| what(vertex))
    }

    /// How many lines cross between layers.
    fn crossings(&self) -> u64 {
        self.layers.windows(2).map(|pair| self.crossings_between(&pair[0], pair[1].len())).sum()
    }

    /// Inversions of the lower ends, counted with a tree of sums (Fenwick).
    fn crossings_between(&self, layer: &[usize], below: usize) -> u64 {
        let (mut crossings, mut seen) = (0, 0);
        let mut sums = vec![0_u64; below];
        for vertex in layer {
            let ends = || self.vertices[*vertex].below.iter().map(|(other, _)| self.vertices[*other].at);
            for end in ends() {
                let (mut at, mut not_right) = (end + 1, 0);
                while at > 0 {
                    not_right += sums[at - 1];
                    at &= at - 1;
                }
                crossings += seen - not_right;
            }
            for end in ends() {
                let mut at = end + 1;
                while at <= below {
                    sums[at - 1] += 1;
                    at += at & at.wrapping_neg();
                }
                seen += 1;
            }
        }
        crossings
    }

    /// Gives each vertex its centre.
    fn place(&mut self) {
        for at in 0..self.layers.len() {
            let offsets = self.offsets(at);
            let middle = offsets.last().map_or(0, |last| last / 2);
            for (vertex, offset) in self.layers[at].clone().into_iter().zip(offsets) {
                self.vertices[vertex].x = offset - middle;
            }
        }
        for sweep in 0..=SWEEPS {
            let down = sweep % 2 == 0;
            for at in 0..self.layers.len() {
                let at = if down { at } else { self.layers.len() - 1 - at };
                let wanted: Vec<i64> =
                    self.layers[at].iter().map(|vertex| self.mean(*vertex, down, |other| other.x)).collect();
                self.settle(at, &wanted, down);
            }
        }
    }

    /// How far the centre of each vertex of a layer must be from the first one's at least.
    fn offsets(&self, layer: usize) -> Vec<i64> {
        let widths: Vec<i64> = self.layers[layer].iter().map(|vertex| self.vertices[*vertex].width).collect();
        let mut offsets = vec![0; widths.len()];
        for at in 1..widths.len() {
            let (left, right) = (widths[at - 1], widths[at]);
            let gap = if left == LANE || right == LANE { LANE_GAP } else { GAP };
            offsets[at] = offsets[at - 1] + left - left / 2 + gap + right / 2;
        }
        offsets
    }

    /// Moves the vertices of a layer as near to where they want to be as their order and widths allow.
    fn settle(&mut self, layer: usize, wanted: &[i64], of_above: bool) {
        // With the offsets taken off, places only must not fall.
        let offsets = self.offsets(layer);
        // Blocks of equal places: weighted sum, weights, count. What is tied more strongly gives way less.
        let mut blocks: Vec<(i64, i64, usize)> = Vec::new();
        for ((wanted, offset), vertex) in wanted.iter().zip(&offsets).zip(&self.layers[layer]) {
            let vertex = &self.vertices[*vertex];
            let ties = if of_above { &vertex.above } else { &vertex.below };
            let weight = ties.iter().map(|(_, weight)| weight).sum::<i64>().max(1);
            let mut block = ((wanted - offset) * weight, weight, 1);
            while let Some(before) = blocks.pop_if(|before| before.0 * block.1 > block.0 * before.1) {
                block = (before.0 + block.0, before.1 + block.1, before.2 + block.2);
            }
            blocks.push(block);
        }
        let places = blocks
            .iter()
            .flat_map(|(sum, weights, count)| std::iter::repeat_n(sum.div_euclid(*weights), *count));
        for ((vertex, place), offset) in self.layers[layer].clone().into_iter().zip(places).zip(offsets) {
            self.vertices[vertex].x = place + offset;
        }
    }
}
