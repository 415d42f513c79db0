//! The demo's models: credit scoring, served over the Open Inference Protocol v2 (REST), and a chat model (`chat`).
//!
//! A real, if small, model: a logistic regression that is fitted at the start to synthetic loans. Version 1 saw 500 loans,
//! version 2 2,000. `credit-scoring` without a version means the newest; `production` is an alias of it, which the answer
//! gives away by naming the model that really answered.

pub(crate) mod chat;
pub(crate) mod dataset;
mod regression;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::http_server::{Body, json_response, text_response};
use dataset::{FEATURES, loans};
use regression::Regression;
use wire::{InferRequest, InferResponse, OutputTensor};

/// The model's own name.
pub(crate) const NAME: &str = "credit-scoring";
/// Another name for its newest version.
pub(crate) const ALIAS: &str = "production";
pub(crate) use wire::INPUT;

const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The body of an answer: there as a whole, or a stream.
pub(crate) type Reply = Either<Body, Channel<Bytes, Infallible>>;

/// One version of the model.
struct Version {
    name: &'static str,
    regression: Regression,
}

/// The model server. A clone is the same one.
#[derive(Clone)]
pub(crate) struct ModelServer {
    /// Oldest first; never empty.
    versions: Arc<[Version; 2]>,
}

impl ModelServer {
    /// Fits the model.
    pub(crate) fn fit() -> Self {
        let version = |name, seed, count| Version { name, regression: Regression::fit(&loans(seed, count)) };
        Self { versions: Arc::new([version("1", 1, 500), version("2", 2, 2_000)]) }
    }

    /// Answers one request.
    pub(crate) async fn answer(self, request: Request<Incoming>) -> Response<Reply> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/v1/chat/completions") => chat::complete(request).await,
            (&Method::GET, "/v1/models") => json_response(StatusCode::OK, &chat::models()).map(Either::Left),
            _ => self.open_inference(request).await.map(Either::Left),
        }
    }

    /// Answers one request in the Open Inference Protocol.
    async fn open_inference(self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["v2"]) => json_response(
                StatusCode::OK,
                &json!({"name": "inferlog-demo", "version": env!("CARGO_PKG_VERSION"), "extensions": []}),
            ),
            (&Method::GET, ["v2", "health", "live" | "ready"]) => text_response(StatusCode::OK, ""),
            (method, ["v2", "models", model, rest @ ..]) => {
                let (version, action) = match rest {
                    ["versions", version, action @ ..] => (Some(*version), action),
                    action => (None, action),
                };
                let Some(version) = self.version(model, version) else {
                    return refuse(StatusCode::NOT_FOUND, "no such model or version");
                };
                match (method, action) {
                    (&Method::GET, []) => json_response(StatusCode::OK, &self.metadata()),
                    (&Method::GET, ["ready"]) => text_response(StatusCode::OK, ""),
                    (&Method::POST, ["infer"]) => self.infer(version, request.into_body()).await,
                    _ => refuse(StatusCode::NOT_FOUND, "not a path of the Open Inference Protocol"),
                }
            }
            _ => refuse(StatusCode::NOT_FOUND, "not a path of the Open Inference Protocol"),
        }
    }

    fn version(&self, model: &str, version: Option<&str>) -> Option<usize> {
        let newest = self.versions.len() - 1;
        match (model, version) {
            (NAME, None) | (ALIAS, None) => Some(newest),
            (NAME, Some(version)) => self.versions.iter().position(|known| known.name == version),
            _ => None,
        }
    }

    fn metadata(&self) -> Value {
        json!({
            "name": NAME,
            "versions": self.versions.iter().map(|version| version.name).collect::<Vec<_>>(),
            "platform": "inferlog_demo",
            "inputs": [{"name": wire::INPUT, "datatype": "FP64", "shape": [-1, FEATURES.len()],
                        "parameters": {"features": FEATURES}}],
            "outputs": [{"name": "probability", "datatype": "FP64", "shape": [-1, 1]},
                        {"name": "decision", "datatype": "BYTES", "shape": [-1, 1]},
                        {"name": "contributions", "datatype": "FP64", "shape": [-1, FEATURES.len()]}],
        })
    }

    async fn infer(&self, version: usize, body: Incoming) -> Response<Body> {
        let Ok(body) = Limited::new(body, REQUEST_BYTES_MAX).collect().await else {
            return refuse(StatusCode::BAD_REQUEST, "the request is too large, or broke off");
        };
        let request = match InferRequest::parse(&body.to_bytes()) {
            Ok(request) => request,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &error),
        };
        tokio::time::sleep(Duration::from_millis(request.parameters.delay_ms)).await;
        if request.parameters.fail {
            return text_response(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
        }
        match score(&self.versions[version], request) {
            Ok(answer) => json_response(StatusCode::OK, &answer),
            Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
        }
    }
}

fn score(version: &Version, request: InferRequest) -> Result<InferResponse, String> {
    let applicants = request.applicants()?;
    let threshold = request.parameters.threshold.unwrap_or(0.5);
    let (mut probabilities, mut decisions, mut contributions) = (Vec::new(), Vec::new(), Vec::new());
    for applicant in &applicants {
        let probability = version.regression.probability(applicant);
        probabilities.push(probability);
        decisions.push(if probability >= threshold { "approve" } else { "decline" });
        contributions.extend(version.regression.contributions(applicant));
    }
    let rows = applicants.len();
    Ok(InferResponse {
        model_name: NAME,
        model_version: version.name,
        id: request.id,
        outputs: vec![
            OutputTensor {
                name: "probability",
                datatype: "FP64",
                shape: [rows, 1],
                data: probabilities.into(),
            },
            OutputTensor { name: "decision", datatype: "BYTES", shape: [rows, 1], data: decisions.into() },
            OutputTensor {
                name: "contributions",
                datatype: "FP64",
                shape: [rows, FEATURES.len()],
                data: contributions.into(),
            },
        ],
    })
}

fn refuse(status: StatusCode, error: &str) -> Response<Body> {
    json_response(status, &json!({ "error": error }))
}

#[cfg(test)]
mod tests;
