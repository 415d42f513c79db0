//! A person's data sent through every place where a careless logger leaks it; after the erasure no byte of it is in any file, and
//! what was proved before is proved still.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Serve, World, get, post, read_message};

/// Begins every marked value: no other text has it.
const MARK: &str = "Xanthippeq7k2";
/// A number that no other text has either.
const NUMBER: &str = "90817263.5";
const OTHER: &str = "bob-4712";

const POLICY: &str = r#"
system = "credit"
version = "1"
clear_content = ["input.raw", "tool.arguments"]
[[class]]
name = "decisions"
floor = "184 days"
target = "1 year"
legal_basis = "Articles 19 and 26(6)"
"#;

/// A model server that says again what it was told, in its answers, its errors and their heads.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                while let Some((_, body)) = read_message(&stream) {
                    let said = body.replace("-parameter", "-answer");
                    let (status, answer) = match body.contains("\"inputs\":[]") {
                        true => ("422 Unprocessable Content", json!({ "error": said })),
                        false => (
                            "200 OK",
                            json!({ "model_name": "credit", "parameters": { "said": said }, "outputs": [] }),
                        ),
                    };
                    let (answer, told) =
                        (answer.to_string(), said.split('"').find(|part| part.contains("-oip-id")));
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-told: {}\r\ncontent-length: {}\r\n\r\n",
                        told.unwrap_or_default(),
                        answer.len()
                    );
                    (&stream).write_all((head + &answer).as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

/// The value for a place.
fn mark(place: &str) -> String {
    format!("{MARK}-{place}")
}

fn serve(world: &World) -> Serve {
    fs::write(world.path("policy.toml"), POLICY).unwrap();
    let upstream = echo();
    world.serve_routes(&format!(
        "[[route]]\nname = \"credit\"\nupstream = \"http://{upstream}\"\nsystem = \"credit\"\n\
         subject = {{ header = \"x-applicant-id\" }}\n[policies]\ncredit = \"policy.toml\"\n"
    ))
}

/// A request of a person with marks wherever a client may put something, if `place` says so.
fn infer(serve: &Serve, person: &str, said: impl Fn(&str) -> String, inputs: &str) -> String {
    let body = json!({
        "id": said("oip-id"),
        "parameters": { "note": said("parameter"), said("parameter-name"): 1 },
        "inputs": [],
    });
    let body = body.to_string().replace("\"inputs\":[]", inputs);
    let headers = format!(
        "x-applicant-id: {person}\r\nx-request-id: {}\r\nuser-agent: {}\r\nx-forwarded-for: {}\r\nreferer: https://example.org/{}\r\n\
         authorization: Bearer {}\r\ncookie: session={}\r\nx-file-name: {}.pdf\r\n",
        said("request-id"),
        said("user-agent"),
        said("forwarded"),
        said("referer"),
        said("token"),
        said("cookie"),
        said("file"),
    );
    let path = format!("/v2/models/credit/infer?applicant={}&file={}.pdf", said("query"), said("url-file"));
    let (head, _) = post(serve.address, &path, &headers, &body);
    let id = head.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: "));
    id.unwrap_or_else(|| panic!("{head}")).to_owned()
}

/// What the application attaches: every kind, every member that takes text.
fn attach(serve: &Serve, decision: &str, said: impl Fn(&str) -> String) {
    let events = json!({ "decision": decision, "events": [
        { "kind": "context", "input": { "person": said("enriched") }, "variant": said("variant name"), "external_ids": { "crm": said("crm-id") } },
        { "kind": "retrieval", "index": said("index name"), "query": said("query-text"), "source": said("source name"),
          "documents": [{ "id": said("document-id"), "content": said("document") }] },
        { "kind": "tool_call", "name": "bureau.lookup", "id": said("caller-event-id"),
          "arguments": { "person": said("argument"), said("argument-name"): 1 }, "result": said("result") },
        { "kind": "tool_call", "name": "bureau.lookup", "arguments": said("bare-argument"),
          "error": { "code": "timeout", "message": said("error-message") } },
        { "kind": "transform", "name": "mask-names", "stage": "post", "in": said("before"), "out": said("after") },
        { "kind": "reasoning", "form": "summary", "content": said("thought") },
        { "kind": "output", "processed": said("processed"), "final": said("final"), "explanation": { "shap": { said("feature"): 0.4 } } },
        { "kind": "human", "action": "override", "reviewer": said("reviewer"), "before": said("human-before"),
          "after": said("human-after"), "reason": said("reason") },
        { "kind": "label", "name": "repaid", "origin": "review", "value": said("label"), "id": said("label-id") },
    ]});
    let (head, answer) =
        post(serve.address, "/v1/events", "content-type: application/json\r\n", &events.to_string());
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {answer}");
    // Errors quote what they were sent at most by name.
    let wrong = json!({ "decision": decision, "kind": "label", "name": 1, "value": said("refused") });
    let (_, refused) =
        post(serve.address, "/v1/events", "content-type: application/json\r\n", &wrong.to_string());
    assert!(!refused.contains(MARK), "{refused}");
}

/// The mark and the number, as they are and as others write them, in lower case.
fn needles() -> Vec<Vec<u8>> {
    let base64 = |at: usize| {
        // Of the mark at each place in a group of three, what does not depend on its neighbours.
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let padded: Vec<u8> = std::iter::repeat_n(0, at).chain(MARK.bytes()).collect();
        let whole = padded
            .chunks_exact(3)
            .map(|three| (u32::from(three[0]) << 16) | (u32::from(three[1]) << 8) | u32::from(three[2]));
        let text: Vec<u8> = whole
            .flat_map(|bits| [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63]))
            .collect();
        text[if at == 0 { 0 } else { at + 1 }..].to_vec()
    };
    let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
    // UTF-16 in either order of bytes.
    let mut wide: Vec<u8> = MARK.bytes().flat_map(|byte| [byte, 0]).collect();
    wide.pop();
    let number: f64 = NUMBER.parse().unwrap();
    let mut needles = vec![MARK.as_bytes().to_vec(), hex.into_bytes(), wide, NUMBER.as_bytes().to_vec()];
    needles.extend([number.to_le_bytes().to_vec(), number.to_be_bytes().to_vec()]);
    needles.extend((0..3).map(base64));
    needles.iter().map(|needle| needle.to_ascii_lowercase()).collect()
}

/// Files below a directory that hold any of that, in their bytes or their names.
fn leaks(dir: &Path) -> Vec<String> {
    let (needles, mut found) = (needles(), Vec::new());
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.to_string_lossy().to_ascii_lowercase();
            if [MARK, NUMBER].iter().any(|mark| name.contains(&mark.to_ascii_lowercase())) {
                found.push(format!("the name {}", path.display()));
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                // One that is gone meanwhile holds nothing.
                let bytes = fs::read(&path).unwrap_or_default().to_ascii_lowercase();
                let has = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == &needle[..]);
                if needles.iter().any(has) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

fn receipts(world: &World, ids: &[&String]) -> Vec<PathBuf> {
    let dir = world.path("receipts");
    for id in ids {
        world.ok(&["receipt", id, "--output", dir.to_str().unwrap()]);
    }
    let files = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "tlog-proof")).collect()
}

/// The request's inputs with this number among them.
fn inputs(number: &str) -> String {
    format!(r#""inputs":[{{"name":"x","shape":[1,2],"datatype":"FP64","data":[{number},0.25]}}]"#)
}

#[test]
fn whatever_form_it_has_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let wide = |pair: fn(u8) -> [u8; 2]| MARK.bytes().flat_map(pair).collect::<Vec<u8>>();
    let number: f64 = NUMBER.parse().unwrap();
    let forms: [Vec<u8>; 11] = [
        MARK.into(),
        MARK.to_uppercase().into(),
        MARK.bytes().map(|byte| format!("{byte:02X}")).collect::<String>().into(),
        wide(|byte| [byte, 0]),
        wide(|byte| [0, byte]),
        // Base64 of it, and behind one and two other bytes: by another's encoder.
        b"WGFudGhpcHBlcTdrMg".to_vec(),
        b"LVhhbnRoaXBwZXE3azI".to_vec(),
        b"LS1YYW50aGlwcGVxN2sy".to_vec(),
        NUMBER.into(),
        number.to_le_bytes().into(),
        number.to_be_bytes().into(),
    ];
    for form in forms {
        fs::write(dir.path().join("a"), [b"before ", &form[..], b" after"].concat()).unwrap();
        assert_eq!(leaks(dir.path()).len(), 1, "{}", String::from_utf8_lossy(&form));
    }
    fs::write(dir.path().join("a"), "nothing of it").unwrap();
    assert!(leaks(dir.path()).is_empty());
    fs::create_dir(dir.path().join(MARK.to_lowercase())).unwrap();
    assert_eq!(leaks(dir.path()).len(), 1);
}

#[test]
fn nothing_of_an_erased_person_is_in_any_file() {
    let world = World::new();
    let first = serve(&world);
    let person = mark("person");
    let answered = infer(&first, &person, mark, &inputs(NUMBER));
    // An error of the model's, and a body that is no request.
    let failed = infer(&first, &person, mark, "\"inputs\":[]");
    let other = infer(&first, OTHER, |place| format!("bobs-{place}"), &inputs("48517.25"));
    attach(&first, &answered, mark);
    attach(&first, &other, |place| format!("bobs-{place}"));
    let metrics = get(first.address, "/metrics").1;
    assert!(!metrics.contains(MARK));
    world.ok(&["find", "--count"]);
    let told = world.ok(&["show", &answered, "--full"]).stdout();
    assert!(told.contains(NUMBER), "{told}");
    assert!(world.ok(&["show", &failed, "--full"]).stdout().contains(&mark("answer")), "the model's error");
    for place in [
        "parameter",
        "answer",
        "argument",
        "result",
        "document",
        "error-message",
        "reason",
        "final",
        "label",
        "enriched",
    ] {
        assert!(told.contains(&mark(place)), "{place} was recorded: {told}");
    }
    let logged = format!("{:?}", first.logged());
    assert!(!logged.contains(MARK), "{logged}");
    assert_eq!(first.stop(), 0);
    let before = leaks(&world.data());
    let is_index = |path: &String| path.contains("index");
    assert!(
        before.iter().any(is_index),
        "what the policy lets stand in clear does, in the index: {before:?}"
    );
    assert!(before.iter().all(is_index), "and nowhere else: {before:?}");
    let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout().trim().to_owned();
    let proofs = receipts(&world, &[&answered, &failed, &other]);
    assert!(proofs.len() > 4);

    let second = serve(&world);
    let done = world.ok(&["erase", "--subject", &person, "--yes", "--json"]).json();
    assert_eq!(
        (&done["erased"][0]["outcome"], &done["erased"][0]["decisions"]),
        (&"completed".into(), &2.into())
    );
    assert_eq!(leaks(&world.data()), Vec::<String>::new(), "while it is served");
    let metrics = get(second.address, "/metrics").1;
    let logged = format!("{:?}", second.logged());
    assert!(!metrics.contains(MARK) && !logged.contains(MARK));
    assert_eq!(second.stop(), 0);
    // The data directory, the root key's home, what the commands left beside them.
    assert_eq!(leaks(&world.path("")), Vec::<String>::new());
    for id in [&answered, &failed] {
        for command in ["show", "reconstruct", "explain"] {
            let told = world.run(&[command, id, "--data", world.data().to_str().unwrap()]);
            let told = told.stdout() + &told.stderr();
            assert!(!told.contains(MARK) && !told.contains(NUMBER), "{told}");
        }
    }
    let bobs = world.ok(&["show", &other, "--full"]).stdout();
    for place in ["parameter", "answer", "argument", "reason", "final"] {
        assert!(bobs.contains(&format!("bobs-{place}")), "{place}: {bobs}");
    }
    for proof in proofs {
        world.run(&["receipt", "check", proof.to_str().unwrap(), "--key", &key]).expect(0);
    }
    let verified: Value = world.ok(&["verify", "--json", "--key", &key]).json();
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(world.ok(&["erase", "--status", "--json"]).json()["erasures"][0]["outcome"], "completed");
}
