//! Which answers are replayed: every transcript with a language model, in every form and every way.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::replay::{Answer, End, Framed, Pace};
use crate::transcript::{self, body_of_response, folder, variants};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use inferlog_capture::decode::{decode, decode_prefix};
use inferlog_capture::wire::{Call, Frames, Framing, Kind, ResponseFacts, Wire};
use std::io::Write;
use std::sync::Arc;

/// Of no body here more than this is decoded, bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// An exchange of the fixtures.
pub struct Transcript {
    pub name: String,
    pub exchange: transcript::Exchange,
    pub wire: Wire,
    pub call: Call,
    pub status: StatusCode,
    /// How the answer streams, if it is passed on while it comes.
    pub framing: Option<Framing>,
}

/// An answer's bytes: those of a transcript, or others that say the same.
#[derive(Clone)]
pub struct Form {
    pub transcript: Arc<Transcript>,
    pub what: &'static str,
    pub body: Bytes,
    pub coding: Option<&'static str>,
    /// What the record says of it, beside that of the transcript as it is.
    pub says: Says,
}

/// What a form says, held against the transcript as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The same, in the same bytes when they are decoded.
    Same,
    /// The same in other bytes.
    SameInOtherBytes,
    /// Something else.
    Other,
}

/// All transcripts, by name.
pub fn transcripts() -> Vec<Arc<Transcript>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder().join("llm")).unwrap() {
        let path = file.unwrap().path();
        let exchange: transcript::Exchange =
            toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let wire = transcript::wire(&exchange);
        let method = Method::from_bytes(exchange.method.as_bytes()).unwrap();
        let Kind::Inference(call) = wire.classify(&method, &exchange.path) else {
            panic!("{}: no inference", path.display())
        };
        let status = StatusCode::from_u16(exchange.status).unwrap();
        let content_type = exchange.response_headers.get("content-type").map_or("", String::as_str);
        let framing = Framing::of(content_type).filter(|_| status.is_success());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        found.push(Arc::new(Transcript { name, exchange, wire, call, status, framing }));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Form {
    /// The transcript as it is, then all others.
    pub fn all(transcript: &Arc<Transcript>) -> Vec<Self> {
        let body = body_of_response(&transcript.exchange);
        let form = |what, body: Bytes, coding, says| Self {
            transcript: transcript.clone(),
            what,
            body,
            coding,
            says,
        };
        let mut forms = vec![form("as it is", body.clone(), None, Says::Same)];
        for (coding, what) in ["gzip", "deflate", "br", "zstd"].map(|coding| (coding, coding)) {
            forms.push(form(what, coded(coding, &body), Some(coding), Says::Same));
        }
        if let Some(framing) = transcript.framing {
            for (what, other) in variants(framing, &body).into_iter().filter(|(_, other)| *other != body) {
                forms.push(form(what, other.into(), None, Says::SameInOtherBytes));
            }
            let (last, is_over) = last_piece(transcript, &body);
            let twice = [&body[..], &body[last..]].concat();
            let says = if is_over { Says::SameInOtherBytes } else { Says::Other };
            forms.push(form("with its last event twice", twice.into(), None, says));
        }
        forms
    }

    pub fn headers(&self) -> HeaderMap {
        let mut headers = transcript::headers(&self.transcript.exchange.response_headers);
        if let Some(coding) = self.coding {
            headers.insert("content-encoding", coding.parse().unwrap());
        }
        headers
    }

    /// So much of the body free of its coding, or as it came where the coding breaks off; and whether it does.
    pub fn legible(&self, sent: &Bytes) -> (Bytes, bool) {
        match decode(&self.headers(), sent, BODY_BYTES_MAX) {
            Ok(decoded) => (decoded, false),
            Err(_) => (sent.clone(), true),
        }
    }

    /// What can be read of so much of the body.
    fn readable(&self, sent: &Bytes) -> Bytes {
        match self.legible(sent) {
            (decoded, false) => decoded,
            (raw, true) => {
                let prefix = decode_prefix(&self.headers(), sent, BODY_BYTES_MAX);
                if prefix.is_empty() { raw } else { prefix }
            }
        }
    }

    /// What so much of the body says.
    pub fn facts(&self, sent: &Bytes) -> ResponseFacts {
        let Transcript { wire, call, status, .. } = &*self.transcript;
        wire.response(call, *status, &self.headers(), &self.readable(sent))
    }

    /// Whether the stream has its terminator with so much of the body, so that nothing is waited for any more.
    pub fn is_over(&self, sent: &Bytes) -> bool {
        self.transcript.framing.is_some()
            && frames(&self.transcript, &self.readable(sent)).is_some_and(|frames| frames.is_over())
    }

    /// The answer that is sent so.
    pub fn answer(&self, framed: Framed, pace: Pace, end: End) -> Answer {
        let mut head = format!("HTTP/1.1 {}\r\n", self.transcript.status.as_u16());
        for (name, value) in &self.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        Answer { head: head.into(), body: self.body.clone(), framed, pace, end }
    }

    /// The ways in which the form is sent, the plainest first. Places to split and to cut are drawn.
    pub fn ways(&self, places: Places) -> Vec<(Framed, Pace, End)> {
        let all = [Framed::Chunked, Framed::Length, Framed::Close];
        let mut ways: Vec<_> = all.map(|framed| (framed, Pace::Whole, End::Whole)).into();
        ways.extend(all.map(|framed| (framed, Pace::Bytes, End::Whole)));
        ways.extend(all.map(|framed| (framed, Pace::Slow, End::Whole)));
        ways.push((Framed::Chunked, Pace::EveryByte, End::Whole));
        let (name, what) = (&self.transcript.name, self.what);
        let seed = name
            .bytes()
            .chain(what.bytes())
            .fold(7_u64, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = if what == "as it is" { places.usual } else { places.others };
        for (at, place) in pick(&mut rng, 1..self.body.len(), count).into_iter().enumerate() {
            ways.push((all[at % 3], Pace::SplitAt(place), End::Whole));
        }
        for (at, place) in pick(&mut rng, 0..self.body.len() + 1, count / 2).into_iter().enumerate() {
            let pace = if at % 2 == 0 { Pace::Whole } else { Pace::Slow };
            let end = if at % 4 == 3 { End::Reset(place) } else { End::Closed(place) };
            ways.push((all[at % 3], pace, end));
        }
        ways
    }
}

/// At how many places a body is split at most; it is cut off at half as many.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Of a transcript as it is.
    pub usual: usize,
    /// Of its other forms.
    pub others: usize,
}

fn pick(rng: &mut fastrand::Rng, places: std::ops::Range<usize>, count: usize) -> Vec<usize> {
    if places.len() <= count {
        return places.collect();
    }
    let mut picked = rng.choose_multiple(places, count);
    picked.sort_unstable();
    picked
}

fn frames(transcript: &Transcript, body: &[u8]) -> Option<Frames> {
    let mut frames = transcript
        .wire
        .frames(&transcript.call, &transcript::headers(&transcript.exchange.response_headers))?;
    frames.push(body);
    Some(frames)
}

/// Where the last piece begins, and whether it ends the stream.
fn last_piece(transcript: &Transcript, body: &[u8]) -> (usize, bool) {
    let whole = frames(transcript, body).unwrap();
    if whole.is_over() {
        return (whole.free(), true);
    }
    let before = (0..body.len()).rev().map(|length| frames(transcript, &body[..length]).unwrap().free());
    (before.into_iter().find(|free| *free < whole.free()).unwrap_or(0), false)
}

fn coded(coding: &str, body: &[u8]) -> Bytes {
    let mut out = Vec::new();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap();
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap();
        }
        "br" => brotli::CompressorWriter::new(&mut out, 4096, 5, 22).write_all(body).unwrap(),
        _ => out = zstd::encode_all(body, 3).unwrap(),
    }
    out.into()
}

/// One answer, sent in one way.
pub struct Replayed {
    pub form: Arc<Form>,
    pub answer: Answer,
    /// The first of its form: the one that the others are held against.
    pub reference: usize,
}

impl Replayed {
    pub fn name(&self) -> String {
        let Answer { framed, pace, end, .. } = &self.answer;
        let (name, what) = (&self.form.transcript.name, self.form.what);
        format!("{name} {what}, {framed:?}, {pace:?}, {end:?}, of {} bytes", self.answer.body.len())
    }
}

/// What becomes of it.
#[derive(Debug, PartialEq)]
pub enum Fate {
    /// All came.
    Whole,
    /// Not all came, and nothing shows it but what is said.
    Short,
    /// It broke off.
    Lost,
    /// It broke off, and what was not read until then is lost with it.
    Reset,
}

impl Replayed {
    pub fn fate(&self) -> Fate {
        let (sent, framed) = (self.answer.sent(), self.answer.framed);
        let (is_all, is_over) = (sent.len() == self.answer.body.len(), self.form.is_over(&sent));
        match self.answer.end {
            End::Whole => Fate::Whole,
            End::Reset(_) => Fate::Reset,
            End::Closed(_) => match framed {
                Framed::Length | Framed::Close if is_all => Fate::Whole,
                Framed::Close => Fate::Short,
                Framed::Chunked if is_over && is_all => Fate::Whole,
                Framed::Chunked if is_over => Fate::Short,
                Framed::Chunked | Framed::Length => Fate::Lost,
            },
        }
    }
}

/// These transcripts in every form and way, each form's first before its others.
pub fn replays(transcripts: &[Arc<Transcript>], places: Places) -> Vec<Replayed> {
    let mut all = Vec::new();
    for transcript in transcripts {
        for form in Form::all(transcript) {
            let (form, reference) = (Arc::new(form), all.len());
            for (framed, pace, end) in form.ways(places) {
                all.push(Replayed { form: form.clone(), answer: form.answer(framed, pace, end), reference });
            }
        }
    }
    all
}
