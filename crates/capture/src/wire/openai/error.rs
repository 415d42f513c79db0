//! What failed, in the API's words and in the record's.

use crate::wire::{Reader, json};
use bytes::Bytes;
use inferlog_record::body::ErrorCode;
use serde_json::value::RawValue;

/// An error's message and kind. OpenAI's errors are objects (API reference, "Errors"), those of some servers texts.
pub(super) fn error<'a>(
    read: &mut Reader<'a>,
    error: Option<&'a RawValue>,
) -> (Option<Bytes>, Option<ErrorCode>) {
    let Some(value) = error.filter(|error| json::is_object(error.get())) else {
        return (read.message(error), None);
    };
    let names = ["message", "code", "innererror", "type"];
    let [message, code, inner, kind] = read.within("error", Some(value), names);
    // Azure says here which of its filters stepped in.
    let inner = inner.filter(|inner| json::is_object(inner.get()));
    let [inner] = read.within("innererror", inner, ["code"]);
    let said = [code, inner, kind].into_iter().flatten();
    let code = said.filter_map(json::scalar).find_map(|word| error_code(&word));
    (read.message(message).or_else(|| read.slice(error)), code)
}

/// Codes and types of errors (OpenAI's and Azure's references, "Error codes"), and statuses where servers write those.
fn error_code(word: &str) -> Option<ErrorCode> {
    Some(match word {
        "content_filter"
        | "content_policy_violation"
        | "image_content_policy_violation"
        | "ResponsibleAIPolicyViolation" => ErrorCode::ContentFiltered,
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" | "429" => ErrorCode::RateLimited,
        "invalid_api_key" | "authentication_error" | "401" => ErrorCode::Unauthorized,
        "permission_error" | "unsupported_country_region_territory" | "403" => ErrorCode::Forbidden,
        "model_not_found" | "DeploymentNotFound" | "not_found_error" | "404" => ErrorCode::NotFound,
        "413" => ErrorCode::TooLarge,
        "timeout" | "Timeout" | "vector_store_timeout" | "408" | "504" => ErrorCode::Timeout,
        "server_is_overloaded" | "service_unavailable" | "overloaded_error" | "503" => ErrorCode::Unavailable,
        "server_error" | "internal_error" | "InternalServerError" | "api_error" | "500" | "502" => {
            ErrorCode::UpstreamError
        }
        "context_length_exceeded" | "invalid_request_error" | "BadRequestError" | "400" | "422" => {
            ErrorCode::BadRequest
        }
        _ if word.starts_with("invalid_") || word.starts_with("unsupported_") => ErrorCode::BadRequest,
        _ => return None,
    })
}
