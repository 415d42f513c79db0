use std::time::{Duration, Instant};

use super::layout::{Layout, NODE, layout};
use super::svg::svg;
use super::{EdgeKind, Graph, NODES_MAX, Step, Tone};

fn step(order: usize, turn: Option<usize>) -> Step {
    Step {
        order,
        turn,
        title: format!("Step {order}"),
        name: "a tool".to_owned(),
        note: "ok · 3 ms".to_owned(),
        tone: if order % 7 == 3 { Tone::Bad } else { Tone::Good },
    }
}

/// Steps without turns, tied as given.
fn graph(count: usize, ties: &[(usize, usize)]) -> Graph {
    let steps: Vec<Step> = (1..=count).map(|order| step(order, None)).collect();
    let ties: Vec<_> = ties.iter().map(|(from, to)| (*from, *to, EdgeKind::Cause)).collect();
    Graph::of(&steps, &ties)
}

/// Every box apart from every other and within the drawing; every line from the foot of a box to the head of a lower one.
fn check(graph: &Graph) -> Layout {
    let plan = layout(graph);
    assert_eq!((plan.nodes.len(), plan.lines.len()), (graph.nodes.len(), graph.edges.len()));
    for (at, (x, y)) in plan.nodes.iter().enumerate() {
        assert!(*x >= 0 && *y >= 0 && x + NODE.0 <= plan.width && y + NODE.1 <= plan.height, "{plan:?}");
        for (other_x, other_y) in &plan.nodes[..at] {
            let apart = x - other_x >= NODE.0
                || other_x - x >= NODE.0
                || y - other_y >= NODE.1
                || other_y - y >= NODE.1;
            assert!(apart, "boxes overlap at {x},{y}");
        }
    }
    for (edge, line) in graph.edges.iter().zip(&plan.lines) {
        let (from, to) = (plan.nodes[edge.from], plan.nodes[edge.to]);
        assert_eq!(line[0], (from.0 + NODE.0 / 2, from.1 + NODE.1));
        assert_eq!(line[line.len() - 1], (to.0 + NODE.0 / 2, to.1));
        assert!(line.windows(2).all(|pair| pair[0].1 < pair[1].1), "a line goes down: {line:?}");
        assert_eq!(line.len() % 2, 0);
    }
    plan
}

#[test]
fn a_chain_is_straight() {
    let plan = check(&graph(4, &[(1, 2), (2, 3), (3, 4)]));
    assert!(plan.nodes.iter().all(|(x, _)| *x == plan.nodes[0].0), "{plan:?}");
}

#[test]
fn what_ran_side_by_side_stands_side_by_side() {
    let plan = check(&graph(5, &[(1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5)]));
    let [top, two, three, four, last] = plan.nodes[..] else { panic!("five boxes") };
    assert!(two.1 == three.1 && three.1 == four.1 && two.0 < three.0 && three.0 < four.0);
    assert_eq!((top.0, last.0), (three.0, three.0), "above and below the middle");
}

#[test]
fn a_retry_stands_below_what_it_repeats_and_is_tied_to_it() {
    let steps: Vec<Step> = (1..=6).map(|order| step(order, None)).collect();
    let cause = |from, to| (from, to, EdgeKind::Cause);
    let ties = [
        cause(1, 2),
        cause(1, 3),
        cause(1, 4),
        cause(2, 5),
        (2, 5, EdgeKind::Retry),
        cause(3, 6),
        cause(4, 6),
        cause(5, 6),
    ];
    let graph = Graph::of(&steps, &ties);
    let plan = check(&graph);
    assert_eq!(plan.nodes[4].0, plan.nodes[1].0);
    let drawn = svg(&graph, &|order| format!("#step-{order}"));
    assert_eq!(drawn.matches("class=\"e retry\"").count(), 1);
    assert!(drawn.contains("#5 tries again what failed in #2") && drawn.contains("↻ retry"));
    assert_eq!(drawn.matches("<path class=\"e ").count(), graph.edges.len());
    assert_eq!(drawn.matches("<svg class=\"n ").count(), 6);
}

#[test]
fn lines_that_need_not_cross_do_not() {
    // Two strands whose members alternate in the order of steps.
    let graph = graph(8, &[(1, 3), (3, 5), (5, 7), (2, 4), (4, 6), (6, 8)]);
    let plan = check(&graph);
    for pair in plan.nodes.chunks(2) {
        assert_eq!((pair[0].0 < pair[1].0), (plan.nodes[0].0 < plan.nodes[1].0), "{plan:?}");
    }
}

#[test]
fn a_contradiction_is_drawn_as_one() {
    let graph = graph(3, &[(1, 2), (3, 2)]);
    let plan = check(&graph);
    assert_eq!(plan.lines.len(), 2);
    assert_eq!(graph.edges[1].kind, EdgeKind::Ring);
}

#[test]
fn many_at_once_go_into_several_rows() {
    let ties: Vec<(usize, usize)> = (2..=41).flat_map(|order| [(1, order), (order, 42)]).collect();
    let plan = check(&graph(42, &ties));
    assert!(plan.width < 2_400, "{}", plan.width);
}

#[test]
fn any_graph_is_laid_out_and_always_alike() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..150 {
        let count = rng.usize(0..NODES_MAX);
        let ties: Vec<(usize, usize)> = (1..=count)
            .flat_map(|order| (0..rng.usize(0..4)).map(|_| (rng.usize(1..=order), order)).collect::<Vec<_>>())
            .collect();
        let graph = graph(count, &ties);
        assert_eq!(check(&graph), check(&graph));
        let link = |order: usize| order.to_string();
        assert_eq!(svg(&graph, &link), svg(&graph, &link));
    }
}

#[test]
fn thousands_of_steps_become_a_readable_number_of_boxes_quickly() {
    for (steps, per_turn) in [(5_000, 25), (5_000, 1), (20_000, 3), (5_000, 5_000)] {
        let turn = |order: usize| (!order.is_multiple_of(11)).then_some(order / per_turn + 1);
        let listed: Vec<Step> = (1..=steps).map(|order| step(order, turn(order))).collect();
        let mut ties: Vec<_> = (2..=steps).map(|order| (order - 1, order, EdgeKind::Cause)).collect();
        ties.extend((1..steps / 2).map(|order| (order, order * 2, EdgeKind::Cause)));
        let began = Instant::now();
        let graph = Graph::of(&listed, &ties);
        let boxes = graph.nodes.len();
        assert!((20..=NODES_MAX + 2).contains(&boxes), "{steps} steps, {per_turn} a turn: {boxes} boxes");
        assert_eq!(graph.nodes.iter().map(|node| node.steps).sum::<usize>(), steps);
        check(&graph);
        svg(&graph, &|order| order.to_string());
        assert!(began.elapsed() < Duration::from_secs(5), "{steps} steps took {:?}", began.elapsed());
    }
}

#[test]
fn every_step_with_thousands_of_causes_is_no_trap() {
    let ties: Vec<(usize, usize)> =
        (2..=NODES_MAX).flat_map(|order| (1..order).map(move |cause| (cause, order))).collect();
    let began = Instant::now();
    check(&graph(NODES_MAX, &ties));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
