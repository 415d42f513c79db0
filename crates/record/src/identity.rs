//! Whether a model's name pins one model.

use crate::Digest;
use crate::body::ModelIdentity;

/// Words that stand for whichever model is meant today.
const ALIASES: &[&str] = &[
    "latest",
    "production",
    "prod",
    "stable",
    "default",
    "current",
    "champion",
    "challenger",
    "canary",
    "staging",
    "stage",
    "archived",
    "best",
    "main",
    "master",
    "head",
    "auto",
];

/// Of the names a model answered to, whether they pin one model.
///
/// `name` is the name as answered, else as asked for; `version` the version that the wire, the registry or the
/// configuration gives; `digest` that of the model itself. A digest, a date and a version number pin; `production`,
/// `latest`, a bare family name and a tag that is neither do not. In doubt a name is an alias.
pub fn identity(name: Option<&str>, version: Option<&str>, digest: Option<&Digest>) -> ModelIdentity {
    let name = name.filter(|name| !name.is_empty());
    let version = version.filter(|version| !version.is_empty());
    if digest.is_some() || version.is_some_and(is_pinned_version) || name.is_some_and(is_pinned_name) {
        return ModelIdentity::Exact;
    }
    match name.or(version) {
        Some(_) => ModelIdentity::Alias,
        None => ModelIdentity::Unknown,
    }
}

/// A version by itself: here a bare number counts.
fn is_pinned_version(version: &str) -> bool {
    let version = version.to_ascii_lowercase();
    let number = version.strip_prefix('v').unwrap_or(&version);
    if has_alias(&version) {
        return false;
    }
    is_number(number)
        || is_dotted(number, 2)
        || is_hash(&version)
        || has_date(&version)
        || has_dotted(&version)
}

fn is_pinned_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.contains("@sha256:") || name.contains(":sha256:") || name.starts_with("sha256:") {
        return name.rsplit("sha256:").next().is_some_and(is_hash);
    }
    if has_alias(&name) {
        return false;
    }
    has_date(&name) || has_dotted(&name) || has_revision(&name) || is_pinned_reference(&name)
}

/// `name@7`, `name:v7`, `models:/name/7`, `name/versions/7`: a reference that says a version in its own place.
fn is_pinned_reference(name: &str) -> bool {
    if let Some((_, reference)) = name.rsplit_once('@') {
        return is_pinned_version(reference);
    }
    if name.starts_with("models:/") || name.contains("/versions/") {
        return name.rsplit('/').next().is_some_and(is_pinned_version);
    }
    // A bare number after a colon is often a size or a revision of the service; `v` makes it a version.
    name.rsplit_once(':')
        .is_some_and(|(_, tag)| tag.strip_prefix('v').is_some_and(|tag| is_number(tag) || is_dotted(tag, 2)))
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty())
}

fn has_alias(name: &str) -> bool {
    words(name).any(|word| ALIASES.contains(&word))
}

/// `2024-08-06`, `20250219`, `0613` (month and day), `2407` (year and month).
fn has_date(name: &str) -> bool {
    let words: Vec<&str> = words(name).collect();
    let long = words.windows(3).any(|date| match date {
        [year, month, day] => year.len() == 4 && is_year(year) && is_month(month) && is_day(day),
        _ => false,
    });
    long || words.iter().skip(1).any(|word| is_short_date(word))
}

fn is_short_date(word: &str) -> bool {
    if !is_number(word) {
        return false;
    }
    match word.len() {
        8 => is_year(&word[..4]) && is_month(&word[4..6]) && is_day(&word[6..]),
        6 => is_year_of_century(&word[..2]) && is_month(&word[2..4]) && is_day(&word[4..]),
        // 1024 is a size far more often than the 24th of October.
        4 => {
            word != "1024"
                && (is_month(&word[..2]) && is_day(&word[2..])
                    || is_year_of_century(&word[..2]) && is_month(&word[2..]))
        }
        _ => false,
    }
}

fn is_year(word: &str) -> bool {
    (2015..2100).contains(&number(word))
}

fn is_year_of_century(word: &str) -> bool {
    (20..50).contains(&number(word))
}

fn is_month(word: &str) -> bool {
    word.len() == 2 && (1..=12).contains(&number(word))
}

fn is_day(word: &str) -> bool {
    word.len() == 2 && (1..=31).contains(&number(word))
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or(0)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers between dots, at least so many.
fn is_dotted(word: &str, parts_min: usize) -> bool {
    word.split('.').all(is_number) && word.split('.').count() >= parts_min
}

/// A version number of three parts anywhere: two parts are a family, as in `llama-3.1`.
fn has_dotted(name: &str) -> bool {
    words(name).any(|word| is_dotted(word.strip_prefix('v').unwrap_or(word), 3))
}

/// A last word such as `001` or `002`.
fn has_revision(name: &str) -> bool {
    let last = words(name).skip(1).last();
    last.is_some_and(|word| word.len() == 3 && is_number(word) && word.starts_with('0'))
}

/// At least seven hexadecimal digits, one of them a digit: a commit or a digest, perhaps shortened.
fn is_hash(word: &str) -> bool {
    (7..=64).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: ModelIdentity, names: &[&str]) {
        for name in names {
            assert_eq!(identity(Some(name), None, None), expected, "{name}");
        }
    }

    #[test]
    fn names_that_pin() {
        check(
            ModelIdentity::Exact,
            &[
                "gpt-4o-2024-08-06",
                "gpt-4-0613",
                "gpt-4-0125-preview",
                "claude-3-7-sonnet-20250219",
                "claude-3-5-sonnet@20240620",
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
                "ft:gpt-4o-mini-2024-07-18:acme:triage:7p4lURel",
                "mistral-large-2407",
                "gemini-1.5-pro-002",
                "text-bison@001",
                "fraud@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "registry.example/fraud@sha256:9f86d081884c7d65",
                "fraud-1.4.2",
                "fraud:v3",
                "fraud:v3.1",
                "fraud:v1.2.0",
                "models:/fraud/12",
                "fraud/versions/3",
                "org/model@8f3c1d2",
            ],
        );
    }

    #[test]
    fn names_that_may_mean_another_tomorrow() {
        check(
            ModelIdentity::Alias,
            &[
                "production",
                "latest",
                "stable",
                "gpt-4o",
                "gpt-4o-mini",
                "gpt-4-turbo-preview",
                "chatgpt-4o-latest",
                "claude-3-opus-latest",
                "claude-sonnet-4",
                "gemini-1.5-pro",
                "llama3",
                "llama3:latest",
                "llama3.1:8b",
                "llama3.1:8b-instruct-q4_0",
                "deepseek-v3",
                "models:/fraud@champion",
                "models:/fraud/Production",
                "fraud:stable",
                "fraud@sha256:",
                "bge-m3-1024",
                "fraud",
                "2024-08-06-latest",
                "org/model@deadbeef-main",
            ],
        );
    }

    #[test]
    fn versions() {
        let table: &[(Option<&str>, Option<&str>, ModelIdentity)] = &[
            (Some("fraud"), Some("3"), ModelIdentity::Exact),
            (Some("fraud"), Some("v3"), ModelIdentity::Exact),
            (Some("fraud"), Some("1.4"), ModelIdentity::Exact),
            (Some("gpt-4o"), Some("2024-08-06"), ModelIdentity::Exact),
            (Some("fraud"), Some("8f3c1d2"), ModelIdentity::Exact),
            (Some("fraud"), Some("latest"), ModelIdentity::Alias),
            (Some("fraud"), Some("Production"), ModelIdentity::Alias),
            (Some("fraud"), Some("blue"), ModelIdentity::Alias),
            (Some("fraud"), Some(""), ModelIdentity::Alias),
            (None, Some("7"), ModelIdentity::Exact),
            (None, Some("prod"), ModelIdentity::Alias),
            (Some(""), None, ModelIdentity::Unknown),
            (None, None, ModelIdentity::Unknown),
        ];
        for (name, version, expected) in table {
            assert_eq!(identity(*name, *version, None), *expected, "{name:?} {version:?}");
        }
        assert_eq!(identity(None, None, Some(&Digest([7; 32]))), ModelIdentity::Exact);
    }
}
