//! Streams, chopped anywhere: where a stream may be cut while it passes, and what its record says, depend on its bytes alone.
//!
//! Every transcript with a stream under `fixtures/v1/wire/llm/` is tried as it is, with other ends of lines, and with what
//! servers and proxies put between events.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/transcript.rs"]
mod transcript;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use inferlog_capture::wire::{Call, Ending, Frames, Framing, Kind, Operation, ResponseFacts, Wire};
use serde_json::Value;
use transcript::{Exchange, body_of_response, folder, headers, variants, wire};

struct Stream {
    name: String,
    wire: Wire,
    call: Call,
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    body: Vec<u8>,
}

impl Stream {
    fn frames(&self) -> Frames {
        self.wire.frames(&self.call, &self.headers).unwrap()
    }

    fn facts(&self, body: &[u8]) -> ResponseFacts {
        self.wire.response(&self.call, self.status, &self.headers, &Bytes::copy_from_slice(body))
    }
}

/// All transcripts with a stream in which something ends. A body that is one object is an error in a stream's place.
fn streams() -> Vec<Stream> {
    let mut streams = Vec::new();
    for file in std::fs::read_dir(folder().join("llm")).unwrap() {
        let path = file.unwrap().path();
        let exchange: Exchange = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (wire, headers) = (wire(&exchange), headers(&exchange.response_headers));
        let method = Method::from_bytes(exchange.method.as_bytes()).unwrap();
        let Kind::Inference(call) = wire.classify(&method, &exchange.path) else { continue };
        let content_type = headers.get("content-type").map(|value| value.to_str().unwrap());
        let Some(framing) = content_type.and_then(Framing::of) else { continue };
        let body = body_of_response(&exchange).to_vec();
        if wire.frames(&call, &headers).is_none() || (framing == Framing::Events && body.starts_with(b"{")) {
            continue;
        }
        let (name, status) = (path.display().to_string(), StatusCode::from_u16(exchange.status).unwrap());
        streams.push(Stream { name, wire, call, status, headers, framing, body });
    }
    assert!(streams.len() >= 25, "only {} streams", streams.len());
    streams
}

/// What the bytes say of where they may be cut, found by looking at all of them: where each piece ends, and which of them ends
/// the stream.
struct Cuts {
    ends: Vec<usize>,
    terminator: Option<usize>,
    /// Which pieces are errors.
    errors: Vec<bool>,
}

impl Cuts {
    fn of(stream: &Stream, body: &[u8]) -> Self {
        let (mut ends, mut line) = (Vec::new(), 0);
        for (at, byte) in body.iter().enumerate() {
            let is_crlf = *byte == b'\n' && at > 0 && body[at - 1] == b'\r';
            match stream.framing {
                Framing::Lines if *byte == b'\n' => ends.push(at + 1),
                Framing::Events if is_crlf => line = at + 1,
                Framing::Events if matches!(byte, b'\n' | b'\r') => {
                    if at == line {
                        ends.push(at + 1);
                    }
                    line = at + 1;
                }
                _ => {}
            }
        }
        let from = |piece: usize| if piece == 0 { 0 } else { ends[piece - 1] };
        let terminator =
            (0..ends.len()).find(|piece| is_terminator(stream, &body[from(*piece)..ends[*piece]]));
        let errors = (0..ends.len()).map(|piece| is_error(stream, &body[from(piece)..ends[piece]])).collect();
        Self { ends, terminator, errors }
    }

    /// How much of the first `length` bytes may pass, and whether the stream is over with them.
    fn at(&self, length: usize) -> (usize, bool) {
        let whole = self.ends.partition_point(|end| *end <= length);
        let passed = self.terminator.map_or(whole, |terminator| whole.min(terminator));
        // An error is withheld until something else than the end follows it.
        let passed = if passed > 0 && self.errors[passed - 1] { passed - 1 } else { passed };
        (if passed == 0 { 0 } else { self.ends[passed - 1] }, self.terminator.is_some_and(|at| at < whole))
    }
}

fn is_terminator(stream: &Stream, piece: &[u8]) -> bool {
    let text = String::from_utf8_lossy(piece);
    let lines = || text.split(['\r', '\n']);
    let data: String = lines().filter_map(|line| line.strip_prefix("data:")).collect::<Vec<_>>().join("\n");
    let kind =
        || serde_json::from_str::<Value>(&data).ok().and_then(|data| Some(data.get("type")?.to_string()));
    match (&stream.wire, stream.call.operation) {
        (Wire::OpenAi, Operation::Responses) => {
            let types = ["\"response.completed\"", "\"response.incomplete\"", "\"response.failed\""];
            kind().is_some_and(|kind| types.contains(&kind.as_str()))
        }
        (Wire::OpenAi, _) => data.trim() == "[DONE]",
        (Wire::Anthropic, _) => kind().is_some_and(|kind| kind == "\"message_stop\""),
        (Wire::Ollama, _) => serde_json::from_str::<Value>(&text)
            .is_ok_and(|line| line.get("done") == Some(&Value::Bool(true))),
        _ => false,
    }
}

fn is_error(stream: &Stream, piece: &[u8]) -> bool {
    let text = String::from_utf8_lossy(piece);
    let lines = || text.split(['\r', '\n']);
    let field = |name| lines().filter_map(move |line| line.strip_prefix(name)).collect::<Vec<_>>().join("\n");
    let (event, data) = match stream.framing {
        Framing::Events => (field("event:"), field("data:")),
        Framing::Lines => (String::new(), text.to_string()),
    };
    let json: Value = serde_json::from_str(&data).unwrap_or_default();
    let is_typed = stream.framing == Framing::Events
        && if event.is_empty() {
            json["type"] == "error"
        } else {
            event.trim() == "error" && !data.is_empty()
        };
    is_typed || !json["error"].is_null()
}

/// Pushes the chunks, and compares after each.
fn check<'b>(stream: &Stream, what: &str, cuts: &Cuts, chunks: impl Iterator<Item = &'b [u8]>) {
    let (mut frames, mut length) = (stream.frames(), 0);
    for chunk in chunks {
        frames.push(chunk);
        length += chunk.len();
        let found = (frames.free(), frames.is_over());
        assert_eq!(found, cuts.at(length), "{} {what}, after {length} bytes", stream.name);
    }
}

fn check_choppings(stream: &Stream, what: &str, body: &[u8]) {
    let cuts = Cuts::of(stream, body);
    check(stream, what, &cuts, body.chunks(1));
    check(stream, what, &cuts, std::iter::once(body));
    let mut rng = fastrand::Rng::with_seed(7);
    for longest in [2, 3, 17, 300, 5000] {
        let mut rest = body;
        let chunks = std::iter::from_fn(|| {
            let (chunk, after) = rest.split_at(rng.usize(0..=longest.min(rest.len())));
            rest = after;
            (!rest.is_empty() || !chunk.is_empty()).then_some(chunk)
        });
        check(stream, what, &cuts, chunks);
    }
}

#[test]
fn a_stream_is_cut_at_the_same_places_however_it_is_chopped() {
    for stream in streams() {
        check_choppings(&stream, "as it is", &stream.body);
        let cuts = Cuts::of(&stream, &stream.body);
        for at in 0..=stream.body.len() {
            let (first, second) = stream.body.split_at(at);
            check(&stream, "in two", &cuts, [first, second].into_iter());
        }
        for (what, body) in variants(stream.framing, &stream.body) {
            check_choppings(&stream, what, &body);
        }
    }
}

#[test]
fn what_follows_the_terminator_never_passes() {
    let mut seen = 0;
    for stream in streams() {
        let cuts = Cuts::of(&stream, &stream.body);
        let Some(terminator) = cuts.terminator else { continue };
        seen += 1;
        let start = terminator.checked_sub(1).map_or(0, |piece| cuts.ends[piece]);
        let (free, _) = cuts.at(stream.body.len());
        let twice = [&stream.body[..], &stream.body[start..]].concat();
        let mut frames = stream.frames();
        for byte in twice.chunks(1) {
            frames.push(byte);
            assert!(frames.free() <= start, "{}", stream.name);
        }
        assert_eq!((frames.free(), frames.is_over()), (free, true), "{}", stream.name);
    }
    assert!(seen >= 20, "only {seen} streams with a terminator");
}

#[test]
fn what_a_stream_says_does_not_depend_on_its_lines_ends_or_comments() {
    for stream in streams() {
        let facts = stream.facts(&stream.body);
        for (what, body) in variants(stream.framing, &stream.body) {
            assert_eq!(stream.facts(&body), facts, "{} {what}", stream.name);
        }
    }
}

/// Tokens may follow the last reason, or never come: a stream that has all reasons is whole without them.
#[test]
fn a_stream_that_was_cut_says_so_or_says_the_same() {
    for stream in streams() {
        let whole = stream.facts(&stream.body);
        for length in 0..stream.body.len() {
            let mut cut = stream.facts(&stream.body[..length]);
            if cut.usage.is_none() && whole.usage.is_some() && cut.finish.is_some() {
                cut.usage.clone_from(&whole.usage);
            }
            assert!(cut.broken_off || cut == whole, "{} cut to {length} bytes says {cut:?}", stream.name);
        }
    }
}

/// In quadratic time this would take days.
#[test]
fn a_long_piece_costs_no_more_than_its_bytes() {
    let long = vec![b'x'; 16 << 20];
    for framing in [Framing::Events, Framing::Lines] {
        let mut frames = Frames::new(framing, Ending::Data("[DONE]"));
        frames.push(b"data: ");
        long.chunks(1).for_each(|byte| frames.push(byte));
        assert_eq!((frames.free(), frames.is_over()), (0, false));
        frames.push(b"\n\n");
        assert!(frames.free() > long.len());
    }
    // Many small pieces at once.
    let mut frames = Frames::new(Framing::Events, Ending::Data("[DONE]"));
    let pieces = b"data: [DONE\n\n".repeat(1 << 18);
    frames.push(&pieces);
    assert_eq!(frames.free(), pieces.len());
}

#[test]
fn an_error_waits_for_its_record_unless_the_stream_goes_on() {
    let frames = |wire: &Wire, path, content_type: &str| {
        let Kind::Inference(call) = wire.classify(&Method::POST, path) else { panic!("{path}") };
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
        wire.frames(&call, &headers).unwrap()
    };
    let (events, lines) = ("text/event-stream", "application/x-ndjson");
    for (wire, path, content_type, error, more, end) in [
        (
            Wire::OpenAi,
            "/v1/chat/completions",
            events,
            "data: {\"error\":{}}\n\n",
            "data: {}\n\n",
            "data: [DONE]\n\n",
        ),
        (
            Wire::OpenAi,
            "/v1/responses",
            events,
            "event: error\ndata: {\"type\":\"error\",\"message\":\"full\"}\n\n",
            "data: {}\n\n",
            "data: {\"type\":\"response.failed\"}\n\n",
        ),
        (
            Wire::Anthropic,
            "/v1/messages",
            events,
            "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        (
            Wire::Ollama,
            "/api/chat",
            lines,
            "{\"error\":\"full\"}\n",
            "{\"done\":false}\n",
            "{\"done\":true}\n",
        ),
    ] {
        let mut stream = frames(&wire, path, content_type);
        stream.push(more.as_bytes());
        stream.push(error.as_bytes());
        assert_eq!((stream.free(), stream.is_over()), (more.len(), false), "{path}");
        let mut ended = stream.clone();
        ended.push(end.as_bytes());
        assert_eq!((ended.free(), ended.is_over()), (more.len(), true), "{path}");
        stream.push(more.as_bytes());
        assert_eq!(stream.free(), 2 * more.len() + error.len(), "{path}");
        // Words that speak of errors, and a member that says there is none.
        stream.push(if content_type == events {
            &b"data: {\"error\":null}\n\n"[..]
        } else {
            b"{\"error\":null}\n"
        });
        assert!(stream.free() > 2 * more.len() + error.len(), "{path}");
    }
}

/// A client reads names as JSON does, and goes by the event's name or by its type, whichever is the last of two.
#[test]
fn a_terminator_in_disguise_is_withheld_too() {
    let types = Ending::Type(&["message_stop"]);
    let over = [
        (Framing::Events, types, "data: {\"type\":\"message_s\\u0074op\"}\n\n"),
        (Framing::Events, types, "event: ping\ndata: {\"type\":\"message_stop\"}\n\n"),
        (Framing::Events, types, "event: message_stop\ndata: x\n\n"),
        (Framing::Events, types, "data: {\"type\":\"ping\",\"type\":\"message_stop\"}\n\n"),
        (Framing::Events, types, "data: {\"typ\\u0065\":\ndata: \"message_stop\"}\n\n"),
        (Framing::Lines, Ending::Flag("done"), "{\"d\\u006fne\":true}\n"),
        (Framing::Lines, Ending::Flag("done"), "{\"done\":false,\"done\":true}\n"),
    ];
    for (framing, ending, text) in over {
        let mut frames = Frames::new(framing, ending);
        frames.push(text.as_bytes());
        assert!(frames.is_over() && frames.free() == 0, "{text}");
    }
    let goes_on = [
        (Framing::Events, types, "data: {\"text\":\"message_stop\",\"type\":\"\\u0061\"}\n\n"),
        (Framing::Events, types, "data: {\"in\":{\"type\":\"message_stop\"}}\n\n"),
        (Framing::Events, types, "event: message_stop\n\n"),
        (Framing::Lines, Ending::Flag("done"), "{\"message\":{\"done\":true},\"done\":false}\n"),
        (Framing::Lines, Ending::Flag("done"), "{\"done\":\"true\"}\n"),
    ];
    for (framing, ending, text) in goes_on {
        let mut frames = Frames::new(framing, ending);
        frames.push(text.as_bytes());
        assert!(!frames.is_over() && frames.free() == text.len(), "{text}");
    }
}
