//! The application's prompts: templates, registered before they are used, so that the record names them and their version.

use inferlog_record::{ClearName, TextError};
use inferlog_registry::Registration;
use serde_json::Value;

use super::policy::Found;
use super::tools;

const SYSTEM: &str = "\
You are the credit advisor of {{bank}}. The customer who asks is {{customer}}.
Look up what is on record before you explain a decision. Say what was decided and what weighed, and name the paragraphs of \
the policy that you rely on. Repeat no account numbers. Promise nothing.";

const POLICY: &str = "\
Paragraphs of the lending policy that may bear on the question:
{{paragraphs}}";

const BANK: &str = "Example Bank";

/// The system prompt for a customer.
pub(super) fn system(customer: &str) -> String {
    SYSTEM.replace("{{bank}}", BANK).replace("{{customer}}", customer)
}

/// The prompt that brings paragraphs of the policy.
pub(super) fn policy(found: &[Found<'_>]) -> String {
    let paragraphs: Vec<String> =
        found.iter().map(|found| format!("[{}] {}", found.paragraph.id, found.paragraph.text)).collect();
    POLICY.replace("{{paragraphs}}", &paragraphs.join("\n"))
}

/// What is to be registered: the prompts and the tools.
pub(in crate::demo) fn registrations() -> Result<Vec<Registration>, TextError> {
    let name = |name: &str| ClearName::new(name);
    let tools = Value::Array(tools::definitions());
    Ok(vec![
        Registration::prompt(name("credit-advisor")?, None, SYSTEM),
        Registration::prompt(name("policy-paragraphs")?, None, POLICY),
        Registration::tools(name("credit-tools")?, None, tools.to_string()),
    ])
}
