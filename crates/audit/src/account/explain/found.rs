//! What of the record may be shown to one person.

use crate::account::html::words;
use crate::account::model::{Account, Held};

use super::ExplanationPart;

/// Content that may be shown is at most this long, bytes; the deployer finds the rest in the account.
const QUOTE_BYTES_MAX: usize = 8 << 10;

/// What stands in the way of showing a content.
enum Refused {
    /// It is bound to nobody, to others too, or it was not said for whom the draft is.
    OfOthers(&'static str),
    /// It is not there, or not open.
    NotThere(String),
}

/// Contents under one name: shown if they are this person's own, otherwise said to be withheld and why.
pub(super) fn quotes(
    account: &Account,
    person: Option<&str>,
    held: &[Held],
    name: &str,
) -> Vec<ExplanationPart> {
    let (mut parts, mut has_more): (Vec<ExplanationPart>, bool) = (Vec::new(), false);
    for held in held {
        let part = match text(account, person, held) {
            Ok(text) => own(held, name, text, &mut has_more),
            Err(Refused::OfOthers(why)) => {
                Some(ExplanationPart::Withheld(format!("{name} (step {}) is withheld: {why}.", held.step)))
            }
            Err(Refused::NotThere(why)) => Some(ExplanationPart::Withheld(format!(
                "{name} (step {}) cannot be shown: {why}.",
                held.step
            ))),
        };
        let is_known = |known: &ExplanationPart, part: &ExplanationPart| match (known, part) {
            (ExplanationPart::Quote(_, one), ExplanationPart::Quote(_, other)) => one == other,
            _ => false,
        };
        if let Some(part) = part.filter(|part| !parts.iter().any(|known| is_known(known, part))) {
            parts.push(part);
        }
    }
    if has_more {
        parts.push(ExplanationPart::Withheld(
            "Of the conversation with the model only the user’s words are shown: instructions, results of tools and what else an application puts into it may speak of others.".to_owned(),
        ));
    }
    parts
}

/// A content to be quoted; of a conversation what users said in it.
fn own(held: &Held, name: &str, text: &str, has_more: &mut bool) -> Option<ExplanationPart> {
    let name = format!("{name} (step {})", held.step);
    match super::words::users(text).filter(|_| held.role.starts_with("input.")) {
        Some((words, more)) => {
            *has_more |= more;
            (!words.is_empty()).then(|| ExplanationPart::Quote(name, words.join("\n\n")))
        }
        None => Some(ExplanationPart::Quote(name, super::plain::readable(text))),
    }
}

/// The words of a content, if they are this person's alone.
fn text<'a>(account: &'a Account, person: Option<&str>, held: &Held) -> Result<&'a str, Refused> {
    let content =
        account.content(held).ok_or_else(|| Refused::NotThere("the record does not hold it".to_owned()))?;
    // What a later step says again is bound as where it was first recorded.
    let bound = content.recorded_by.unwrap_or(held.step);
    let subjects = [bound, held.step].map(|step| account.step(step).map_or(&[][..], |step| &step.subjects));
    let is_of = |subjects: &&[String]| matches!((subjects, person), ([one], Some(person)) if one == person);
    if !subjects.iter().all(is_of) {
        return Err(Refused::OfOthers(match (person, subjects) {
            (None, _) if account.identity.subjects.is_empty() => {
                "the record does not say whom this decision is about, so that it cannot be known whose data this is"
            }
            (None, _) => "the decision is about several persons, and this draft was not made for one of them",
            (Some(_), [[], _] | [_, []]) => "the record does not say whose data this is",
            (Some(_), [[_], _]) => "it is another person’s",
            (Some(_), _) => "it is about other persons too",
        }));
    }
    match content.text() {
        Some(text) if text.len() <= QUOTE_BYTES_MAX => Ok(text),
        Some(text) => {
            Err(Refused::NotThere(format!("it is {} long; the account has it", words::bytes(text.len()))))
        }
        None => Err(Refused::NotThere(match content.state.as_str() {
            "present" if !account.verdict.opened => "the account was made without the keys".to_owned(),
            "present" => "it could not be opened".to_owned(),
            "erased" => "it was erased on request, its key is destroyed".to_owned(),
            "purged" => "it was removed under the retention policy".to_owned(),
            "redacted" => "it was left out before it was recorded".to_owned(),
            "missing" => "it is missing, and the record does not say why".to_owned(),
            _ => "it was not captured".to_owned(),
        })),
    }
}
