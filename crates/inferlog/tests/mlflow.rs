//! `inferlog models import` against a server that answers as MLflow's REST documentation says
//! (mlflow.org/docs/latest/api_reference/rest-api.html), in pages of one. The real one is asked in interop/python.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::{World, get, model};

/// What the server has, and what it was asked.
#[derive(Clone)]
struct Mlflow {
    address: SocketAddr,
    models: Arc<Mutex<Value>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mlflow {
    /// `models` maps names to `aliases` and `versions`, as the API has them.
    fn start(models: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Self { address, models: Arc::new(Mutex::new(models)), asked: Arc::new(Mutex::default()) };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || while serving.answer(&stream).is_some() {});
            }
        });
        server
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let lines = BufReader::new(stream).lines();
        let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let target = head.first()?.split(' ').nth(1)?.to_owned();
        let authorization = head.iter().find(|line| line.starts_with("authorization: "));
        self.asked.lock().unwrap().push(format!("{target} {}", authorization.map_or("", String::as_str)));
        let (status, body) = match target.strip_prefix("/tracking/api/2.0/mlflow/") {
            Some(call) => ("200 OK", self.call(call)),
            None => (
                "404 Not Found",
                json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such thing."}),
            ),
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()
    }

    fn call(&self, call: &str) -> Value {
        let (path, query) = call.split_once('?').unwrap();
        let decode =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let param = |name: &str| {
            query.split('&').find_map(|pair| Some(decode(pair.strip_prefix(name)?.strip_prefix('=')?)))
        };
        let models = self.models.lock().unwrap();
        let wanted = param("filter")
            .map(|filter| filter.strip_prefix("name='").unwrap().strip_suffix('\'').unwrap().to_owned());
        let all: Vec<Value> = match path {
            "registered-models/search" => {
                let models = models.as_object().unwrap().iter();
                let named = models.filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == *name));
                named
                    .map(|(name, model)| json!({"name": name, "aliases": model["aliases"], "tags": []}))
                    .collect()
            }
            "model-versions/search" => {
                let versions = models[wanted.unwrap()]["versions"].as_object().unwrap().iter();
                versions
                    .map(|(version, source)| json!({"version": version, "source": source, "status": "READY"}))
                    .collect()
            }
            "model-versions/get-download-uri" => {
                return json!({"artifact_uri": format!("s3://bucket/{}", param("version").unwrap())});
            }
            other => panic!("{other}"),
        };
        let page: usize = param("page_token").map_or(0, |token| token.parse().unwrap());
        let what = path.split('/').next().unwrap().replace('-', "_");
        let mut answer = json!({});
        if let Some(item) = all.get(page) {
            answer[what] = json!([item]);
        }
        if page + 1 < all.len() {
            answer["next_page_token"] = json!((page + 1).to_string());
        }
        answer
    }

    fn url(&self) -> String {
        format!("http://{}/tracking/", self.address)
    }
}

fn world() -> World {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    assert_eq!(get(serve.address, "/readyz").0, 200);
    assert_eq!(serve.stop(), 0);
    world
}

fn import(world: &World, server: &Mlflow, more: &[&str]) -> (i32, String, String) {
    let (data, url) = (world.data(), server.url());
    let args = [&["models", "import", "--data", data.to_str().unwrap(), "--mlflow", &url], more].concat();
    let mut command = world.command(&args);
    for name in ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"] {
        command.env_remove(name);
    }
    let output = command.env("MLFLOW_TRACKING_TOKEN", "secret").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn models(local: &Path) -> Value {
    json!({
        "credit": {
            "aliases": [{"alias": "champion", "version": "2"}, {"alias": "old", "version": "1"}],
            "versions": {"10": "models:/m-0123", "2": format!("file://{}", local.display()), "1": "s3://bucket/one"},
        },
        "fraud": {"aliases": [], "versions": {"1": "runs:/abc/model"}},
    })
}

fn list(world: &World) -> Vec<String> {
    let lines = world.ok(&["models", "list", "--json"]).lines();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    lines
        .iter()
        .map(|line| {
            let digest = if line["digest"].is_string() { "known" } else { "unknown" };
            let aliases: Vec<_> = line["aliases"].as_array().unwrap().iter().map(text).collect();
            format!("{}@{} {digest} {}", text(&line["name"]), text(&line["version"]), aliases.join(","))
        })
        .collect()
}

#[test]
fn a_registry_is_imported_page_by_page_and_again() {
    let world = world();
    std::fs::create_dir(world.path("model files")).unwrap();
    std::fs::write(world.path("model files/MLmodel"), "flavors: {}").unwrap();
    let server = Mlflow::start(models(&world.path("model%20files")));
    let (status, told, _) = import(&world, &server, &[]);
    assert_eq!(status, 0, "{told}");
    assert_eq!(told.lines().count(), 6, "{told}");
    let expected =
        ["credit@1 unknown old", "credit@2 known champion", "credit@10 unknown ", "fraud@1 unknown "];
    assert_eq!(list(&world), expected);
    let shown = world.ok(&["models", "show", "credit@champion"]).json();
    assert_eq!(shown["manifest"]["files"][0]["path"], "MLmodel");
    assert_eq!(shown["source"], format!("mlflow http://{}/tracking", server.address));
    assert_eq!(world.ok(&["models", "show", "credit@10"]).json()["location"], "s3://bucket/10");

    let asked = server.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|asked| asked.ends_with(" authorization: Bearer secret")), "{asked:?}");
    assert_eq!(asked.iter().filter(|asked| asked.contains("page_token")).count(), 3, "{asked:?}");

    // Again: nothing is new, and the model on this machine is not read again.
    std::fs::write(world.path("model files/MLmodel"), "other").unwrap();
    let (status, told, _) = import(&world, &server, &[]);
    assert_eq!(status, 0);
    assert!(told.lines().all(|line| line.starts_with("registered before")), "{told}");

    // Aliases follow the server; the models of others are left alone.
    let champion = json!([{"alias": "champion", "version": "10"}]);
    server.models.lock().unwrap()["credit"]["aliases"] = champion;
    let (status, told, _) = import(&world, &server, &["--name", "credit", "--json"]);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((status, told.iter().filter(|line| line["is_new"] == true).count()), (0, 2));
    let expected = ["credit@1 unknown ", "credit@2 known ", "credit@10 unknown champion", "fraud@1 unknown "];
    assert_eq!(list(&world), expected);
}

#[test]
fn what_cannot_stand_in_a_record_is_left_out_and_told() {
    let world = world();
    let server = Mlflow::start(json!({
        "my model": {"aliases": [], "versions": {"1": "s3://a"}},
        "good": {"aliases": [{"alias": "the best", "version": "1"}], "versions": {"1": "s3://b"}},
    }));
    let (status, told, errors) = import(&world, &server, &[]);
    assert_eq!((status, told.lines().count()), (1, 1), "{told}");
    assert!(errors.contains("left out model \"my model\""), "{errors}");
    assert!(errors.contains("left out alias \"the best\" of model good"), "{errors}");
    assert_eq!(list(&world), ["good@1 unknown "]);

    let (status, _, errors) = import(&world, &server, &["--name", "none"]);
    assert_eq!(status, 2);
    assert!(errors.contains("has no registered model none"), "{errors}");
}

#[test]
fn a_server_that_is_none_is_told() {
    let world = world();
    let server = Mlflow::start(json!({}));
    let data = world.data();
    for (url, says) in [
        (format!("http://{}/", server.address), "answered 404 Not Found: No such thing."),
        ("mlflow:5000".to_owned(), "write http://HOST:PORT"),
        ("http://me:secret@mlflow".to_owned(), "MLFLOW_TRACKING_PASSWORD"),
        ("http://127.0.0.1:1".to_owned(), "cannot be reached"),
    ] {
        let run = world.run(&["models", "import", "--data", data.to_str().unwrap(), "--mlflow", &url]);
        run.expect(2);
        assert!(run.stderr().contains(says), "{url}: {}", run.stderr());
        assert!(!run.stderr().contains("secret"));
    }
}
