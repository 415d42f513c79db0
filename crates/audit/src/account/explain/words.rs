//! A person's own words in a request that holds more: what a model is asked also holds instructions, documents and tools' results.

use serde_json::Value;

/// The words of users in the JSON of a conversation; `None` if the text is none. Whether it holds anything else, too.
///
/// Of Chat Completions, Messages, Responses and Ollama's chat: items of the role `user`, and of their content the parts that are
/// text. Results of tools stand in items of the role `tool`, in parts of the type `tool_result` or in items without a role.
pub(super) fn users(text: &str) -> Option<(Vec<String>, bool)> {
    let json: Value = serde_json::from_str(text).ok()?;
    let items = json["messages"].as_array().or_else(|| json["input"].as_array())?;
    let is_conversation = |item: &Value| item["role"].is_string() || item["type"].is_string();
    if items.is_empty() || !items.iter().all(is_conversation) {
        return None;
    }
    let (mut words, mut has_more) = (Vec::new(), false);
    for item in items {
        if item["role"] != "user" {
            has_more = true;
            continue;
        }
        match &item["content"] {
            Value::String(text) => words.push(text.clone()),
            Value::Array(parts) => {
                for part in parts {
                    let is_text = part["type"] == "text" || part["type"] == "input_text";
                    match part["text"].as_str().filter(|_| is_text) {
                        Some(text) => words.push(text.to_owned()),
                        None => has_more = true,
                    }
                }
            }
            _ => has_more = true,
        }
    }
    Some((words, has_more))
}

#[cfg(test)]
mod tests {
    use super::users;

    #[test]
    fn only_users_words_are_taken() {
        let chat = r#"{"messages":[{"role":"system","content":"secret"},{"role":"user","content":"mine"},{"role":"tool","content":"theirs"},{"role":"assistant","content":"its"}]}"#;
        let blocks = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"mine"},{"type":"tool_result","content":"theirs"},{"type":"document","text":"theirs"}]}]}"#;
        let responses = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"mine"}]},{"type":"function_call_output","output":"theirs"}]}"#;
        for text in [chat, blocks, responses] {
            assert_eq!(users(text), Some((vec!["mine".to_owned()], true)), "{text}");
        }
        assert_eq!(
            users(r#"{"messages":[{"role":"user","content":"mine"}]}"#),
            Some((vec!["mine".to_owned()], false))
        );
        for other in [
            r#"{"inputs":[{"name":"income","data":[1]}]}"#,
            r#"{"input":["a","b"]}"#,
            r#"{"messages":[]}"#,
            "plain",
            "[1]",
        ] {
            assert_eq!(users(other), None, "{other}");
        }
    }
}
