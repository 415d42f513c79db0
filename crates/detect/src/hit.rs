//! What was found, and which of several that overlap counts.

/// A piece of the text that a detector found: bytes `start..end`, on character boundaries, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The detector, by its place in the list that [`crate::Detectors::new`] was given.
    pub rule: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A span, and how sure it is that it is what the detector looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) span: Span,
    pub(crate) certainty: Certainty,
}

/// From the least certain to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    /// Its form alone.
    Form,
    /// A word of a list.
    Listed,
    /// A form that nothing else has.
    Shape,
    /// Its check digits hold.
    Checked,
}

impl Hit {
    pub(crate) fn new(rule: usize, start: usize, end: usize, certainty: Certainty) -> Self {
        Self { span: Span { rule, start, end }, certainty }
    }
}

/// Spans without overlaps, in the order of the text. Of hits that overlap the longest counts, of equally long ones the most
/// certain, then the rule that stands first; its span is extended over all of them, so that no part of what any detector found
/// is left over.
pub(crate) fn settle(mut hits: Vec<Hit>) -> Vec<Span> {
    hits.sort_unstable_by_key(|hit| (hit.span.start, hit.span.end, hit.span.rule));
    let mut spans: Vec<Span> = Vec::with_capacity(hits.len());
    let mut best: Option<Hit> = None;
    for hit in hits {
        match (spans.last_mut(), best.as_mut()) {
            (Some(last), Some(best)) if hit.span.start < last.end => {
                last.end = last.end.max(hit.span.end);
                if rank(&hit) > rank(best) {
                    last.rule = hit.span.rule;
                    *best = hit;
                }
            }
            _ => {
                spans.push(hit.span);
                best = Some(hit);
            }
        }
    }
    spans
}

fn rank(hit: &Hit) -> (usize, Certainty, std::cmp::Reverse<usize>) {
    (hit.span.end - hit.span.start, hit.certainty, std::cmp::Reverse(hit.span.rule))
}
