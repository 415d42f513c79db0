//! What a customer must not be told, taken out of what the model said.
//!
//! Two rules: no account number is written out, and no sentence promises that a loan will be approved.

use std::fmt;

use crate::model::chat::words;

/// Version of the rules.
pub(super) const VERSION: &str = "1";

const MASK: &str = "[account number removed]";

/// What was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum Removed {
    AccountNumber,
    Promise,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountNumber => "an account number",
            Self::Promise => "a promise of approval",
        })
    }
}

/// Text that may be shown.
pub(super) struct Moderated {
    pub(super) text: String,
    pub(super) removed: Vec<Removed>,
}

pub(super) fn moderate(text: &str) -> Moderated {
    let mut removed = Vec::new();
    let mut kept = String::with_capacity(text.len());
    for sentence in sentences(text) {
        if is_promise(sentence) {
            removed.push(Removed::Promise);
            continue;
        }
        for token in sentence.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let word = token.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_iban(word) {
                removed.push(Removed::AccountNumber);
                kept.push_str(MASK);
                kept.push_str(&token[word.len()..]);
            } else {
                kept.push_str(token);
            }
        }
    }
    Moderated { text: kept.trim_end().to_owned(), removed }
}

/// Sentences, each with the blank after it.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.find(". ").map_or(rest.len(), |at| at + 2);
        let (sentence, after) = rest.split_at(end);
        rest = after;
        (!sentence.is_empty()).then_some(sentence)
    })
}

fn is_promise(sentence: &str) -> bool {
    let words = words(sentence);
    let has = |phrase: &[&str]| words.windows(phrase.len()).any(|window| window == phrase);
    has(&["will", "be", "approved"]) || has(&["guarantee"]) || has(&["guaranteed"])
}

/// Whether a word is an International Bank Account Number: its form and its check digits (ISO 13616, ISO/IEC 7064 MOD 97-10).
pub(super) fn is_iban(word: &str) -> bool {
    let bytes = word.as_bytes();
    if !(15..=34).contains(&bytes.len())
        || !bytes[..2].iter().all(u8::is_ascii_uppercase)
        || !bytes[2..4].iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    remainder(&[&bytes[4..], &bytes[..4]].concat()) == Some(1)
}

/// The account number with its check digits, of a country and an account there.
pub(super) fn iban(country: &str, account: &str) -> String {
    let rest = remainder(format!("{account}{country}00").as_bytes()).unwrap_or_default();
    format!("{country}{:02}{account}", 98 - rest)
}

/// The remainder by 97, letters counting from A = 10.
fn remainder(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |rest, byte| {
        let digit = char::from(*byte).to_digit(36)?;
        Some((rest * if digit < 10 { 10 } else { 100 } + digit) % 97)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_are_known_by_their_check_digits() {
        // The example of ISO 13616's registry, and one made here.
        for number in ["DE89370400440532013000", "GB29NWBK60161331926819", &iban("DE", "000000000000000007")]
        {
            assert!(is_iban(number), "{number}");
            let wrong = number.replacen('9', "8", 1).replacen("07", "08", 1);
            assert!(!is_iban(&wrong), "{wrong}");
        }
        assert!(!is_iban("approved") && !is_iban("") && !is_iban("DE89"));
    }

    #[test]
    fn what_must_not_be_said_goes_and_the_rest_stays() {
        let said = "It was declined: 11.7 % is too little. This concerns DE89370400440532013000. Pay, and it will be approved.";
        let moderated = moderate(said);
        assert_eq!(
            moderated.text,
            "It was declined: 11.7 % is too little. This concerns [account number removed]."
        );
        assert_eq!(moderated.removed, [Removed::AccountNumber, Removed::Promise]);
        let fine = "Your application was approved: 80 %. Nothing to add.";
        assert_eq!((moderate(fine).text.as_str(), moderate(fine).removed.len()), (fine, 0));
    }
}
