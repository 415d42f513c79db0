//! The model server through HTTP, as a client sees it.

use super::*;
use hyper_util::rt::TokioIo;
use std::sync::LazyLock;
use tokio::net::{TcpListener, TcpStream};

const ANNA: &str = r#"[48.0, 0.2, 8, 0, 1.5]"#;

/// Sends one request to a model server of its own and answers status and body.
pub(super) fn exchange(method: Method, path: &str, body: &str) -> (StatusCode, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Fitting takes a while in a build for tests.
        static MODEL: LazyLock<ModelServer> = LazyLock::new(ModelServer::fit);
        let model = MODEL.clone();
        tokio::spawn(crate::http_server::serve(listener, move |request| model.clone().answer(request)));
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "model");
        let answer = send.send_request(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        (head.status, String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap())
    })
}

fn infer(path: &str, body: &str) -> (StatusCode, Value) {
    let (status, text) = exchange(Method::POST, path, body);
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn request(shape: &str, data: &str) -> String {
    format!(
        r#"{{"id":"a-1","inputs":[{{"name":"applicant","shape":{shape},"datatype":"FP64","data":{data}}}]}}"#
    )
}

#[test]
fn a_version_an_alias_and_the_bare_name_answer_who_they_are() {
    let body = request("[1,5]", ANNA);
    for (path, version) in [
        ("/v2/models/credit-scoring/infer", "2"),
        ("/v2/models/credit-scoring/versions/1/infer", "1"),
        ("/v2/models/production/infer", "2"),
    ] {
        let (status, answer) = infer(path, &body);
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["model_name"], "credit-scoring");
        assert_eq!(answer["model_version"], version);
        assert_eq!(answer["id"], "a-1");
        assert_eq!(answer["outputs"][1]["data"][0], "approve", "{answer}");
        assert_eq!(answer["outputs"][2]["shape"], json!([1, 5]));
    }
}

#[test]
fn data_may_be_nested_and_every_row_is_answered() {
    let poor = "[15.0, 0.88, 0, 5, 4.9]";
    let (_, nested) =
        infer("/v2/models/credit-scoring/infer", &request("[2,5]", &format!("[{ANNA},{poor}]")));
    let flat = format!("{},{}", &ANNA[..ANNA.len() - 1], &poor[1..]);
    let (_, flat) = infer("/v2/models/credit-scoring/infer", &request("[2,5]", &flat));
    assert_eq!(nested, flat);
    assert_eq!(nested["outputs"][1]["data"], json!(["approve", "decline"]));
}

#[test]
fn what_cannot_be_scored_is_refused_with_the_reason() {
    let infer_path = "/v2/models/credit-scoring/infer";
    for (path, body, status, says) in [
        (infer_path, request("[1,3]", "[1,2,3]"), 400, "expected shape [n, 5]"),
        (infer_path, request("[2,5]", ANNA), 400, "the shape says 10 numbers, got 5"),
        (infer_path, request("[1,5]", r#"[1,2,3,4,"x"]"#), 400, "not all numbers"),
        (infer_path, request("[0,5]", "[]"), 400, "1 to 1000 rows"),
        (infer_path, "{".into(), 400, "malformed request"),
        (infer_path, "{}".into(), 400, "expected one input"),
        (infer_path, r#"{"parameters":{"threshold":2}}"#.into(), 400, "a probability"),
        ("/v2/models/credit-scoring/versions/9/infer", request("[1,5]", ANNA), 404, "no such model"),
        ("/v2/models/churn/infer", request("[1,5]", ANNA), 404, "no such model"),
    ] {
        let (got, answer) = infer(path, &body);
        assert_eq!(got.as_u16(), status, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
}

#[test]
fn it_fails_and_dawdles_on_demand() {
    let body = request("[1,5]", ANNA);
    let asks = |parameters: &str| body.replacen('{', &format!(r#"{{"parameters":{parameters},"#), 1);
    let (status, answer) = infer("/v2/models/production/infer", &asks(r#"{"fail":true}"#));
    assert_eq!((status.as_u16(), answer), (500, Value::String("Internal Server Error".into())));
    let began = std::time::Instant::now();
    let (status, _) = infer("/v2/models/production/infer", &asks(r#"{"delay_ms":120}"#));
    assert_eq!(status, StatusCode::OK);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[test]
fn health_and_metadata_are_there() {
    for path in ["/v2/health/live", "/v2/health/ready", "/v2/models/credit-scoring/ready"] {
        assert_eq!(exchange(Method::GET, path, "").0, StatusCode::OK);
    }
    let (status, metadata) = exchange(Method::GET, "/v2/models/credit-scoring", "");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_str::<Value>(&metadata).unwrap()["versions"], json!(["1", "2"]));
    assert_eq!(exchange(Method::GET, "/v3", "").0, StatusCode::NOT_FOUND);
}
