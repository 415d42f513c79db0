use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::{KeyKind, VerifiedSignature, VerifierKey, VkeyError};

/// Logs of one policy at most; witnesses and groups together at most twice as many.
pub const POLICY_NAMES_MAX: usize = 256;

/// Predefined: a quorum of nobody.
const NONE: &str = "none";

/// Which logs are known, which witnesses, and which of them must have cosigned (c2sp.org/tlog-policy). Displays as a policy
/// file in one spelling, and parses from any; names are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    members: Vec<Member>,
    /// Place of the member that must be satisfied; `None` if nobody need have cosigned.
    quorum: Option<usize>,
}

/// A log of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// The key it signs with; its name is the log's origin.
    pub key: VerifierKey,
    /// Where it is.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it; means nothing outside.
    pub name: String,
    /// The key it cosigns with.
    pub key: VerifierKey,
    /// Where it is asked: its submission prefix (c2sp.org/tlog-witness).
    pub url: Option<String>,
}

/// What may be a member of a group, or the quorum. Groups come after their members.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    Witness(Box<PolicyWitness>),
    Group { name: String, threshold: usize, members: Vec<usize> },
}

/// Why a text is not a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: PolicyFault,
}

/// What is wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// A control character other than tab and newline, or a last line without newline.
    #[error("lines end in a newline and hold no control characters but tabs")]
    Text,
    /// The first word is none of the five.
    #[error("{0:?} begins no line of a policy: write log, witness, group, quorum, or # for a comment")]
    Keyword(String),
    /// Too few or too many words.
    #[error("write `{0}`")]
    Words(&'static str),
    /// The key is not a verifier key.
    #[error(transparent)]
    Key(#[from] VkeyError),
    /// The key signs in the way of the other side.
    #[error("{name} is the key of {found}: a {wanted} is asked for here")]
    KeyKind {
        /// Name of the key.
        name: String,
        /// What it is.
        found: &'static str,
        /// What should stand here.
        wanted: &'static str,
    },
    /// A second line with the same public key.
    #[error("another line has the public key of {0}: each may stand once")]
    DuplicateKey(String),
    /// A second witness or group of this name, or the reserved one.
    #[error("the name {0:?} is taken: witnesses and groups need names of their own, and `none` is reserved")]
    DuplicateName(String),
    /// A name that no line before defines.
    #[error("no line before defines {0:?}")]
    Unknown(String),
    /// A witness or group that another group has already.
    #[error("{0:?} is a member of a group already: it may count once")]
    DuplicateMember(String),
    /// The threshold is not between 1 and the number of members.
    #[error("the threshold {found:?} is not `any`, `all`, or a number from 1 to {members}, the members")]
    Threshold {
        /// What was written.
        found: String,
        /// How many members the group has.
        members: usize,
    },
    /// Two lines say what the quorum is.
    #[error("there is a quorum line already: a policy has one")]
    SecondQuorum,
    /// No line says what the quorum is.
    #[error("the policy has no quorum line: end it with `quorum NAME`, or `quorum none`")]
    NoQuorum,
    /// More of one kind than are read.
    #[error("more than {POLICY_NAMES_MAX} of these lines")]
    TooMany,
}

impl Policy {
    /// The logs it names. An empty list means that they are known from elsewhere.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses it names, in the order of its lines.
    pub fn witnesses(&self) -> impl Iterator<Item = &PolicyWitness> {
        self.members.iter().filter_map(|member| match member {
            Member::Witness(witness) => Some(&**witness),
            Member::Group { .. } => None,
        })
    }

    /// Whether the cosignatures that were verified satisfy the quorum. Signatures of other keys count for nothing.
    pub fn satisfied(&self, verified: &[VerifiedSignature]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        // Members come before their groups, so that one pass decides them all.
        let mut is_satisfied: Vec<bool> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            is_satisfied.push(match member {
                Member::Witness(witness) => verified.iter().any(|signature| signature.key == witness.key),
                Member::Group { threshold, members, .. } => {
                    members.iter().filter(|&&place| is_satisfied[place]).count() >= *threshold
                }
            });
        }
        is_satisfied[quorum]
    }

    /// Name of the witness or group that must be satisfied, `none` for nobody.
    pub fn quorum(&self) -> &str {
        self.quorum.map_or(NONE, |place| self.members[place].name())
    }
}

impl Member {
    fn name(&self) -> &str {
        match self {
            Self::Witness(witness) => &witness.name,
            Self::Group { name, .. } => name,
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let lines = text.matches('\n').count();
        if !(text.is_empty() || text.ends_with('\n')) {
            return Err(PolicyError { line: lines + 1, fault: PolicyFault::Text });
        }
        let mut reader = Reader::default();
        for (number, line) in text.split_terminator('\n').enumerate() {
            reader.line(line).map_err(|fault| PolicyError { line: number + 1, fault })?;
        }
        let fault = PolicyFault::NoQuorum;
        let quorum = reader.quorum.ok_or(PolicyError { line: lines.max(1), fault })?;
        Ok(Self { logs: reader.logs, members: reader.members, quorum })
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    members: Vec<Member>,
    places: BTreeMap<String, usize>,
    grouped: BTreeSet<usize>,
    quorum: Option<Option<usize>>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), PolicyFault> {
        if line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err(PolicyFault::Text);
        }
        // Spaces and tabs alone separate; all other spaces of Unicode are parts of names.
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", rest @ ..] => self.log(rest),
            ["witness", rest @ ..] => self.witness(rest),
            ["group", rest @ ..] => self.group(rest),
            ["quorum", rest @ ..] => self.quorum(rest),
            [other, ..] => Err(PolicyFault::Keyword((*other).to_owned())),
        }
    }

    fn log(&mut self, words: &[&str]) -> Result<(), PolicyFault> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some((*url).to_owned())),
            _ => return Err(PolicyFault::Words("log VKEY [URL]")),
        };
        let key = key_of(key, KeyKind::Ed25519)?;
        if self.logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err(PolicyFault::DuplicateKey(key.name().to_owned()));
        }
        if self.logs.len() == POLICY_NAMES_MAX {
            return Err(PolicyFault::TooMany);
        }
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, words: &[&str]) -> Result<(), PolicyFault> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some((*url).to_owned())),
            _ => return Err(PolicyFault::Words("witness NAME VKEY [URL]")),
        };
        let key = key_of(key, KeyKind::Cosignature)?;
        let has_key = |member: &Member| match member {
            Member::Witness(witness) => witness.key.public_key() == key.public_key(),
            Member::Group { .. } => false,
        };
        if self.members.iter().any(has_key) {
            return Err(PolicyFault::DuplicateKey(key.name().to_owned()));
        }
        let witness = PolicyWitness { name: (*name).to_owned(), key, url };
        self.define(name, Member::Witness(Box::new(witness)))
    }

    fn group(&mut self, words: &[&str]) -> Result<(), PolicyFault> {
        let [name, threshold, names @ ..] = words else {
            return Err(PolicyFault::Words("group NAME all|any|K MEMBER…"));
        };
        if names.is_empty() {
            return Err(PolicyFault::Words("group NAME all|any|K MEMBER…"));
        }
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            let place = self.place(member)?;
            if !self.grouped.insert(place) {
                return Err(PolicyFault::DuplicateMember((*member).to_owned()));
            }
            members.push(place);
        }
        let threshold = match *threshold {
            "any" => Some(1),
            "all" => Some(members.len()),
            number => crate::text::decimal_decode(number)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=members.len()).contains(number)),
        }
        .ok_or_else(|| PolicyFault::Threshold { found: (*threshold).to_owned(), members: members.len() })?;
        self.define(name, Member::Group { name: (*name).to_owned(), threshold, members })
    }

    fn quorum(&mut self, words: &[&str]) -> Result<(), PolicyFault> {
        let [name] = words else { return Err(PolicyFault::Words("quorum NAME")) };
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(if *name == NONE { None } else { Some(self.place(name)?) });
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, PolicyFault> {
        self.places.get(name).copied().ok_or_else(|| PolicyFault::Unknown(name.to_owned()))
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), PolicyFault> {
        if name == NONE || self.places.contains_key(name) {
            return Err(PolicyFault::DuplicateName(name.to_owned()));
        }
        if self.members.len() == 2 * POLICY_NAMES_MAX {
            return Err(PolicyFault::TooMany);
        }
        self.places.insert(name.to_owned(), self.members.len());
        self.members.push(member);
        Ok(())
    }
}

fn key_of(vkey: &str, wanted: KeyKind) -> Result<VerifierKey, PolicyFault> {
    let key: VerifierKey = vkey.parse()?;
    if key.kind() == wanted {
        return Ok(key);
    }
    let (log, witness) = ("a log (type 0x01)", "a witness (type 0x04)");
    let (found, wanted) = if wanted == KeyKind::Ed25519 { (witness, log) } else { (log, witness) };
    Err(PolicyFault::KeyKind { name: key.name().to_owned(), found, wanted: &wanted[2..] })
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for member in &self.members {
            match member {
                Member::Witness(witness) => {
                    writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
                }
                Member::Group { name, threshold, members } => {
                    write!(f, "group {name} {threshold}")?;
                    members.iter().try_for_each(|place| write!(f, " {}", self.members[*place].name()))?;
                    writeln!(f)?;
                }
            }
        }
        writeln!(f, "quorum {}", self.quorum())
    }
}
