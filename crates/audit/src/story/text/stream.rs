//! The words of a streamed answer, for people to read: the texts of its deltas put together. What the stream says besides stands
//! in other steps or in the content itself; nothing rests on this.

use serde_json::Value;

/// The text that a stream of events or of lines gave; `None` if it gave none that is known.
pub(crate) fn words(stream: &str) -> Option<String> {
    let mut text = String::new();
    for line in stream.lines() {
        let json = line.strip_prefix("data:").unwrap_or(line).trim();
        if let Ok(event) = serde_json::from_str::<Value>(json) {
            text.extend(pieces(&event));
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Chat and text completions, Responses, Messages; Ollama's chat and generate. Of several choices the first.
fn pieces(event: &Value) -> Option<&str> {
    let is_words =
        || ["response.output_text.delta", "response.refusal.delta"].iter().any(|kind| event["type"] == *kind);
    let choice = || event["choices"].as_array()?.iter().find(|choice| choice["index"] == 0);
    let chosen =
        || choice().and_then(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()));
    chosen()
        .or_else(|| event["delta"].as_str().filter(|_| is_words()))
        .or_else(|| event["delta"]["text"].as_str())
        .or_else(|| event["message"]["content"].as_str())
        .or_else(|| event["response"].as_str())
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn deltas_are_put_together() {
        for (stream, expected) in [
            (
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n\
                 data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n",
                Some("ab"),
            ),
            (
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"ab\"}}\n\n",
                Some("ab"),
            ),
            ("data: {\"type\":\"response.output_text.delta\",\"delta\":\"ab\"}\n\n", Some("ab")),
            ("data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"ab\"}\n\n", None),
            (
                "{\"message\":{\"content\":\"a\"}}\n{\"message\":{\"content\":\"b\"},\"done\":true}\n",
                Some("ab"),
            ),
            ("{\"response\":\"ab\",\"done\":false}\n", Some("ab")),
            ("data: half an ev", None),
        ] {
            assert_eq!(words(stream).as_deref(), expected, "{stream}");
        }
    }
}
