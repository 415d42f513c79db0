//! Where customers ask: `POST /ask`, the question as text, the customer in the header `x-applicant-id`.

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;

use super::Application;
use crate::demo::traffic::SUBJECT_HEADER;
use crate::http_server::{self, Body, json_response, text_response};

/// Longest question, bytes.
const QUESTION_BYTES_MAX: usize = 4 << 10;

/// Serves until dropped.
pub(in crate::demo) async fn serve(application: Application, listener: TcpListener) {
    http_server::serve(listener, move |request| answer(application.clone(), request)).await;
}

async fn answer(application: Application, request: Request<Incoming>) -> Response<Body> {
    if (request.method(), request.uri().path()) != (&Method::POST, "/ask") {
        return text_response(StatusCode::NOT_FOUND, "POST your question to /ask\n");
    }
    let customer =
        request.headers().get(SUBJECT_HEADER).and_then(|name| name.to_str().ok()).map(str::to_owned);
    let Some(customer) = customer else {
        let what = format!("say who asks, as in: {SUBJECT_HEADER}: applicant-07\n");
        return text_response(StatusCode::BAD_REQUEST, &what);
    };
    let question = Limited::new(request.into_body(), QUESTION_BYTES_MAX).collect().await;
    let question = question.map(|body| body.to_bytes()).unwrap_or_default();
    let question = String::from_utf8_lossy(&question);
    if question.trim().is_empty() {
        return text_response(StatusCode::BAD_REQUEST, "ask something, in a few words\n");
    }
    match application.ask(&customer, &question).await {
        Ok(answered) => {
            let removed: Vec<String> = answered.removed.iter().map(ToString::to_string).collect();
            let answer = json!({
                "decision": answered.decision.to_string(), "answer": answered.text, "removed": removed,
            });
            json_response(StatusCode::OK, &answer)
        }
        Err(error) => text_response(StatusCode::BAD_GATEWAY, &format!("{error}\n")),
    }
}
