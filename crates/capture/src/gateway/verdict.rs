//! How an exchange ended, as its record says it and as its client is told.

use crate::body::End as BodyEnd;
use crate::gateway::call::{Called, Told};
use crate::route::Limits;
use crate::upstream::UpstreamError;
use http::StatusCode;
use inferlog_record::body::{ErrorCode, ExchangeEnd, FinishReason, Outcome, StepOutcome};

/// How a call, and with it the decision, ended.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) step: StepOutcome,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) exchange: ExchangeEnd,
    /// Of the gateway's own answer, where the upstream's is not released.
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// Whether the client gets the upstream's answer.
    pub(crate) is_released: bool,
}

impl Verdict {
    fn failed(
        error: ErrorCode,
        exchange: ExchangeEnd,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        let (outcome, step) = (Outcome::Failed, StepOutcome::Failed);
        Self {
            outcome,
            step,
            error: Some(error),
            exchange,
            status,
            message: message.into(),
            is_released: false,
        }
    }

    fn other(
        outcome: Outcome,
        exchange: ExchangeEnd,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        let step = if outcome == Outcome::Refused { StepOutcome::Refused } else { StepOutcome::Aborted };
        Self { outcome, step, error: None, exchange, status, message: message.into(), is_released: false }
    }

    /// Of a request that never became whole.
    pub(crate) fn of_request(end: BodyEnd, limits: &Limits) -> Self {
        match end {
            BodyEnd::OverLimit { bytes_min } => {
                let max = limits.request_bytes_max;
                let message = format!(
                    "the request's body has at least {bytes_min} bytes, and this route takes {max} at most: send less at \
                     once, or raise `request_bytes_max`"
                );
                Self::other(Outcome::Refused, ExchangeEnd::OverLimit, StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            BodyEnd::TimedOut => {
                let message = format!("the request's body was not there after {:?}", limits.request_time_max);
                Self::failed(ErrorCode::Timeout, ExchangeEnd::Timeout, StatusCode::REQUEST_TIMEOUT, message)
            }
            BodyEnd::Aborted | BodyEnd::Complete => Self::other(
                Outcome::Aborted,
                ExchangeEnd::ClientAbort,
                StatusCode::BAD_REQUEST,
                "the request broke off",
            ),
        }
    }

    /// Of a call of the model.
    pub(crate) fn of_call(called: &Called) -> Self {
        match called {
            Called::Told(told) => Self::of_answer(told),
            Called::Failed(error @ UpstreamError::Unreachable(_)) => Self::failed(
                ErrorCode::ConnectFailed,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                error.to_string(),
            ),
            Called::Failed(error @ UpstreamError::Aborted(_)) => Self::failed(
                ErrorCode::ConnectionLost,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                error.to_string(),
            ),
            Called::Failed(error @ UpstreamError::TimedOut) => Self::failed(
                ErrorCode::Timeout,
                ExchangeEnd::Timeout,
                StatusCode::GATEWAY_TIMEOUT,
                error.to_string(),
            ),
            Called::ClientGone => Self::other(
                Outcome::Aborted,
                ExchangeEnd::ClientAbort,
                StatusCode::BAD_REQUEST,
                "the client left",
            ),
        }
    }

    fn of_answer(told: &Told) -> Self {
        if told.client_left {
            let message = "the client left while it was answered";
            return Self::other(Outcome::Aborted, ExchangeEnd::ClientAbort, told.head.status, message);
        }
        let lost = |error, end, status, message: &str| Self::failed(error, end, status, message);
        match told.content.end {
            BodyEnd::Complete if told.facts.broken_off && told.facts.error.is_none() => Self {
                is_released: true,
                ..lost(
                    ErrorCode::ConnectionLost,
                    ExchangeEnd::UpstreamAbort,
                    told.head.status,
                    "the upstream ended its stream without ending its answer",
                )
            },
            BodyEnd::Complete if told.head.status.is_success() && told.facts.error.is_none() => Self {
                outcome: Outcome::Answered,
                step: step_outcome(told),
                error: None,
                exchange: ExchangeEnd::Complete,
                status: told.head.status,
                message: String::new(),
                is_released: true,
            },
            BodyEnd::Complete => {
                let message = format!("the upstream answered {}", told.head.status);
                let error = told.facts.error_code.unwrap_or_else(|| error_code(told.head.status));
                Self {
                    is_released: true,
                    ..Self::failed(error, ExchangeEnd::Complete, told.head.status, message)
                }
            }
            BodyEnd::OverLimit { bytes_min } => {
                let message = format!(
                    "the upstream's answer has at least {bytes_min} bytes, more than this route takes: raise \
                     `response_bytes_max`"
                );
                lost(ErrorCode::TooLarge, ExchangeEnd::OverLimit, StatusCode::BAD_GATEWAY, &message)
            }
            BodyEnd::TimedOut => lost(
                ErrorCode::Timeout,
                ExchangeEnd::Timeout,
                StatusCode::GATEWAY_TIMEOUT,
                "the upstream's answer was not whole in time",
            ),
            BodyEnd::Aborted => lost(
                ErrorCode::ConnectionLost,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                "the upstream broke off in the middle of its answer",
            ),
        }
    }
}

/// An answer that says no, by the model or by a filter, was given all the same.
fn step_outcome(told: &Told) -> StepOutcome {
    let refused = [FinishReason::Refusal, FinishReason::ContentFilter];
    match &told.facts.finish {
        Some(finish) if refused.contains(&finish.reason) => StepOutcome::Refused,
        _ => StepOutcome::Ok,
    }
}

fn error_code(status: StatusCode) -> ErrorCode {
    match status.as_u16() {
        400 | 422 => ErrorCode::BadRequest,
        401 => ErrorCode::Unauthorized,
        403 => ErrorCode::Forbidden,
        404 | 405 => ErrorCode::NotFound,
        408 | 504 => ErrorCode::Timeout,
        413 => ErrorCode::TooLarge,
        429 => ErrorCode::RateLimited,
        502 | 503 => ErrorCode::Unavailable,
        // An error under a status of success is the model server's own.
        200..=299 | 500..=599 => ErrorCode::UpstreamError,
        _ => ErrorCode::Other,
    }
}
