//! Configuration: what is accepted, what is refused and in which words, and which route takes a request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use http::{Method, Uri};
use inferlog_capture::api::Access;
use inferlog_capture::config::{IndexConfig, api, index, routes, routes_from_flags};
use inferlog_capture::route::{
    ContextFrom, ContextMember, Matched, Opened, PathPattern, Route, SubjectFrom, find,
};
use inferlog_record::ClearName;

const BASE: &str = "[[route]]\nname = \"a\"\nupstream = \"http://127.0.0.1:9\"\nsystem = \"s\"\n";

fn env(name: &str) -> Option<String> {
    (name == "BUILD").then(|| "abc123".to_owned())
}

fn load(text: &str) -> Vec<Route> {
    routes(text, &env).unwrap()
}

#[test]
fn defaults_and_every_key() {
    let route = &load(BASE)[0];
    assert_eq!(route.path, PathPattern::Prefix(String::new()));
    assert_eq!(
        (route.wire.name(), route.opened, route.passthrough),
        ("oip-v2", Opened::BeforeFirstByte, false)
    );
    assert_eq!((route.limits.request_bytes_max, route.limits.response_bytes_max), (16 << 20, 16 << 20));

    let route = &load(
        r#"
        [[route]]
        name = "score"
        upstream = "https://models.example/base/"
        system = "credit"
        wire = "json"
        path = "/score"
        opened = "before-call"
        subject = { pointer = "/applicant/id" }
        context = { environment = "production", build = { env = "BUILD" }, variant = { header = "X-Variant", values = ["a"] } }
        models = ["m"]
        passthrough = true
        request_bytes_max = 10
        response_bytes_max = 20
        request_ms_max = 1
        connect_ms_max = 2
        answer_ms_max = 3
        ca_file = "ca.pem"
        json = { model = "/model", output = "/score" }
        "#,
    )[0];
    assert_eq!(route.upstream.base, "/base");
    assert!(matches!(&route.subject, Some(SubjectFrom::Pointer(p)) if p.as_str() == "/applicant/id"));
    assert!(
        route
            .context
            .contains(&(ContextMember::Build, ContextFrom::Fixed(vec![ClearName::new("abc123").unwrap()])))
    );
    assert_eq!(route.context.len(), 3);
    assert_eq!((route.opened, route.limits.answer_time_max.as_millis()), (Opened::BeforeCall, 3));
}

/// Configurations, `+` for what is added to [`BASE`], and what is said of them.
const WRONG: &[(&str, &str)] = &[
    ("", "`route`: there is no route: add a `[[route]]` with `name`, `upstream` and `system`"),
    ("[[route]]\nname = 3", "line 2: `name`: invalid type: integer `3`, expected a string"),
    ("[[route]\n", "line 1: "),
    (
        "[[route]]\nname = \"a\"\n",
        "missing field `upstream`: every `[[route]]` needs `name`, `upstream` and `system`",
    ),
    ("\n\n[[route]]\nupstrem = 1\n", "line 4: `upstrem`: unknown field `upstrem`, expected one of `name`"),
    (
        "+wire = \"grpc\"",
        "line 5: `wire`: write \"openai\", \"anthropic\", \"ollama\", \"oip-v2\", \"oip-grpc\", \"kserve-v1\" or \"json\"",
    ),
    ("+path = \"score\"", "line 5: `path`: write one path, as in `/score`"),
    ("+path = \"/a*b\"", "line 5: `path`: write one path"),
    ("+path = \"/metrics\"", "line 5: `path`: the gateway answers this path itself"),
    ("+opened = \"late\"", "line 5: `opened`: write \"before-first-byte\" or \"before-call\""),
    ("+subject = \"x\"", "line 5: `subject`: write `{ header = "),
    ("+subject = { header = \"a b\" }", "line 5: `subject`: `a b` is no header name"),
    ("+subject = { pointer = \"a\" }", "line 5: `subject`: a JSON pointer begins with `/`"),
    ("+json = { model = \"/m\" }", "line 5: `json`: pointers are for `wire = \"json\"`"),
    (
        "+wire = \"json\"\njson = { modle = \"/m\" }",
        "line 6: `modle`: is not one of the pointers of `json`: model",
    ),
    (
        "+wire = \"json\"\njson = { model = \"/~2\" }",
        "line 6: `model`: in a JSON pointer `~` is written `~0`",
    ),
    (
        "+context = { build = { env = \"NOPE\" } }",
        "line 5: `build`: the environment variable `NOPE` is not set",
    ),
    ("+context = { region = 1 }", "line 5: `region`: write a string, `{ env = "),
    ("+context = { region = [\"a\"] }", "line 5: `region`: write a string, `{ env = "),
    ("+context = { region = \"a b\" }", "line 5: `region`: \"a b\" may not stand in clear"),
    ("+context = { zone = \"a\" }", "line 5: `zone`: is not a member of `context`: build, environment"),
    ("+models = [\"a b\"]", "line 5: `models`: \"a b\" may not stand in clear"),
    ("+context = { build = { header = \"x\", value = [] } }", "line 5: `build`: write a string"),
    ("+request_bytes_max = 0", "line 5: `request_bytes_max`: write a number of bytes from 1 to 25165824"),
    ("+response_bytes_max = 99999999999", "line 5: `response_bytes_max`: write a number of bytes"),
    ("+answer_ms_max = 0", "line 5: `answer_ms_max`: write a number of milliseconds"),
    (
        "[[route]]\nname = \"a b\"\nupstream = \"http://h\"\nsystem = \"s\"",
        "line 2: `name`: write 1 to 63 letters",
    ),
    (
        "[[route]]\nname = \"a\"\nupstream = \"ftp://h\"\nsystem = \"s\"",
        "line 3: `upstream`: write `http://HOST:PORT`",
    ),
    (
        "[[route]]\nname = \"a\"\nupstream = \"h:80\"\nsystem = \"s\"",
        "line 3: `upstream`: write `http://HOST:PORT`",
    ),
    ("[[route]]\nname = \"a\"\nupstream = \"http://u:p@h\"\nsystem = \"s\"", "line 3: `upstream`: write"),
    ("[[route]]\nname = \"a\"\nupstream = \"http://h/?q\"\nsystem = \"s\"", "line 3: `upstream`: write"),
    (
        "[[route]]\nname = \"a\"\nupstream = \"http://h\"\nsystem = \"-s\"",
        "line 4: `system`: write 1 to 63 letters",
    ),
    (
        "+[[route]]\nname = \"a\"\nupstream = \"http://h\"\nsystem = \"s\"",
        "line 6: `name`: another route has this name",
    ),
];

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_to_do() {
    for (text, expected) in WRONG {
        let text = text.strip_prefix('+').map_or((*text).to_owned(), |rest| format!("{BASE}{rest}"));
        let error = routes(&text, &env).expect_err(&text).to_string();
        assert!(error.contains(expected), "of\n{text}\nit says {error}\nnot    {expected}");
    }
}

#[test]
fn who_may_attach_events_is_whoever_has_the_token_or_is_here() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        format!("{BASE}[api]\ntoken_file = \"{}\"\n", dir.path().join(name).display())
    };
    let env = |name: &str| (name == "TOKEN").then(|| TOKEN.to_owned());
    assert!(matches!(api(BASE, &env), Ok(Access::Loopback)));
    for text in [format!("{BASE}[api]\ntoken_env = \"TOKEN\""), file("token", &format!("{TOKEN}\n"))] {
        assert!(matches!(api(&text, &env), Ok(Access::Token(_))), "{text}");
        routes(&text, &env).unwrap();
    }
    for (text, says) in [
        (format!("{BASE}[api]\ntoken_env = \"NOPE\""), "line 6: `token_env`: the environment has no `NOPE`"),
        (file("short", "abc"), "line 6: `token_file`: a token has at least 32"),
        (format!("{BASE}[api]\ntoken_file = \"/nowhere\""), "line 6: `token_file`: cannot be read"),
        (
            format!("{BASE}[api]\ntoken_env = \"TOKEN\"\ntoken_file = \"x\""),
            "line 7: `token_file`: write this or",
        ),
        (format!("{BASE}[api]\ntoken = \"{TOKEN}\""), "line 6: `token`: unknown field"),
        (format!("{BASE}path = \"/v1/events\""), ""),
    ] {
        let said = api(&text, &env).map(drop).map_err(|error| error.to_string());
        match says {
            "" => assert!(routes(&text, &env).unwrap_err().to_string().contains("answers this path itself")),
            says => assert!(said.as_ref().is_err_and(|error| error.starts_with(says)), "{says}: {said:?}"),
        }
        assert!(!format!("{said:?}").contains(TOKEN));
    }
}

#[test]
fn an_index_follows_unless_the_file_says_otherwise() {
    assert_eq!(index(BASE).unwrap(), IndexConfig::default());
    assert!(IndexConfig::default().sqlite);
    let text = format!("{BASE}[index]\nsqlite = false\npostgres = \"env:URL\"");
    let read = index(&text).unwrap();
    assert_eq!((read.sqlite, read.postgres), (false, vec!["env:URL".to_owned()]));
    routes(&text, &env).unwrap();
    let two = index(&format!("{BASE}[index]\npostgres = [\"env:A\", \"file:b\"]")).unwrap();
    assert_eq!(two.postgres, ["env:A", "file:b"]);
    for (line, says) in [
        ("clear_content = [\"s\"]", "line 6: `clear_content`: unknown field"),
        ("sqlite = 1", "line 6: `sqlite`"),
        ("mysql = \"x\"", "line 6: `mysql`: unknown field"),
    ] {
        let error = index(&format!("{BASE}[index]\n{line}")).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn flags_make_a_route_for_each_wire_and_name_themselves() {
    let routes = routes_from_flags("http://127.0.0.1:9", "credit", Some("x-applicant")).unwrap();
    assert_eq!(
        routes.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
        ["oip-v2", "kserve-v1", "openai", "anthropic", "ollama", "oip-grpc"]
    );
    assert!(routes.iter().all(|route| route.upstream.http2 == (route.name.as_str() == "oip-grpc")));
    let cases = [
        (("nope", "s", None), "`--upstream`: write `http://HOST:PORT`"),
        (("http://h", "s s", None), "`--system`: write 1 to 63 letters"),
        (("http://h", "s", Some("a b")), "`--subject-header`: `a b` is no header name"),
    ];
    for ((upstream, system, header), expected) in cases {
        let error = routes_from_flags(upstream, system, header).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

fn told(routes: &[Route], method: &str, uri: &str) -> String {
    let uri: Uri = uri.parse().unwrap();
    let (kind, route) = match find(routes, &Method::from_bytes(method.as_bytes()).unwrap(), &uri) {
        Matched::Inference(route, call) => (format!("inference {}", call.model.unwrap_or_default()), route),
        Matched::Control(route) => ("control".to_owned(), route),
        Matched::Passthrough(route) => ("passthrough".to_owned(), route),
        Matched::None => return "none".to_owned(),
    };
    format!("{}: {kind} → {}", route.name, route.target(&uri).unwrap())
}

#[test]
fn a_lone_model_server() {
    let routes = routes_from_flags("http://m:9", "s", None).unwrap();
    let cases = [
        ("POST", "/v2/models/credit/infer", "oip-v2: inference credit → http://m:9/v2/models/credit/infer"),
        (
            "POST",
            "/v2/models/c/versions/2/infer?x=1",
            "oip-v2: inference c → http://m:9/v2/models/c/versions/2/infer?x=1",
        ),
        ("GET", "/v2/health/live", "oip-v2: control → http://m:9/v2/health/live"),
        ("GET", "/v2", "oip-v2: control → http://m:9/v2"),
        ("POST", "/v2/repository/index", "oip-v2: control → http://m:9/v2/repository/index"),
        ("POST", "/v1/models/iris:predict", "kserve-v1: inference iris → http://m:9/v1/models/iris:predict"),
        ("GET", "/v1/models/iris", "kserve-v1: control → http://m:9/v1/models/iris"),
        ("GET", "/", "kserve-v1: control → http://m:9/"),
        // Inferences that the wire does not know, and paths that a server may resolve to one.
        ("POST", "/v2/models/m/generate", "none"),
        ("POST", "/v2/models/m/infer/", "none"),
        ("POST", "/v2/models//infer", "none"),
        ("POST", "/v2/models/m%2Finfer", "none"),
        ("POST", "/v2/models/m/inf%65r", "oip-v2: inference m → http://m:9/v2/models/m/inf%65r"),
        ("GET", "/v2/../admin", "none"),
        ("GET", "/v2/%2e%2e/admin", "none"),
        ("GET", "/v2/a%2f..%2fadmin", "none"),
        ("PUT", "/v2/models/m/infer", "none"),
        ("POST", "/v1/models/iris:classify", "none"),
        ("POST", "/v1/models/:predict", "none"),
        ("POST", "/v1/chat/completions", "openai: inference  → http://m:9/v1/chat/completions"),
        ("POST", "/v1/messages", "anthropic: inference  → http://m:9/v1/messages"),
        ("POST", "/api/chat", "ollama: inference  → http://m:9/api/chat"),
        (
            "POST",
            "/inference.GRPCInferenceService/ModelInfer",
            "oip-grpc: inference  → http://m:9/inference.GRPCInferenceService/ModelInfer",
        ),
        ("POST", "/v1/audio/transcriptions", "none"),
    ];
    for (method, uri, expected) in cases {
        assert_eq!(told(&routes, method, uri), expected, "{method} {uri}");
    }
}

#[test]
fn prefixes_are_replaced_and_passthrough_comes_last() {
    let routes = load(
        r#"
        [[route]]
        name = "open"
        upstream = "http://m:1"
        system = "s"
        passthrough = true
        [[route]]
        name = "fraud"
        path = "/fraud/*"
        upstream = "http://m:2/serving/"
        system = "s"
        [[route]]
        name = "score"
        path = "/score"
        wire = "json"
        upstream = "http://m:3/api/v7/score"
        system = "s"
        "#,
    );
    let cases = [
        ("POST", "/v2/models/a/infer", "open: inference a → http://m:1/v2/models/a/infer"),
        ("POST", "/fraud/v2/models/a/infer?q", "fraud: inference a → http://m:2/serving/v2/models/a/infer?q"),
        ("POST", "/score", "score: inference  → http://m:3/api/v7/score"),
        ("HEAD", "/score", "score: control → http://m:3/api/v7/score"),
        ("GET", "/score", "open: passthrough → http://m:1/score"),
        ("POST", "/scores", "open: passthrough → http://m:1/scores"),
        (
            "POST",
            "/fraudulent/v2/models/a/infer",
            "open: passthrough → http://m:1/fraudulent/v2/models/a/infer",
        ),
    ];
    for (method, uri, expected) in cases {
        assert_eq!(told(&routes, method, uri), expected, "{method} {uri}");
    }
}
