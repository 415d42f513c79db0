//! What a log makes of a witness's answer.

use inferlog_merkle::{NoteSignature, SignedNote, VerifierKey};

use crate::request::decimal;

/// The longest sentence of a witness that is repeated, characters.
const SAID_CHARS_MAX: usize = 300;

/// What a witness answered, as far as it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It cosigned: the signature is by its key, and verified.
    Cosigned {
        /// The line to add to the checkpoint.
        signature: NoteSignature,
        /// The time that it states, seconds since 1970.
        time: u64,
    },
    /// It has cosigned a checkpoint of this size: ask again from there.
    Has(u64),
    /// It did not cosign.
    Refused(Refusal),
}

/// Why a witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What it said, cut off and without control characters.
    pub said: String,
}

impl Reply {
    /// Reads an answer to a request with this note, of the witness with this key. A cosignature that does not verify is a refusal.
    pub fn read(status: u16, body: &[u8], note: &SignedNote, witness: &VerifierKey) -> Self {
        let text = String::from_utf8_lossy(body);
        let refused = |said: &str| Self::Refused(Refusal { status, said: clean(said) });
        match status {
            200 => match cosignature(&text, note, witness) {
                Ok((signature, time)) => Self::Cosigned { signature, time },
                Err(why) => refused(&why),
            },
            409 => match text.strip_suffix('\n').and_then(decimal) {
                Some(size) => Self::Has(size),
                None => refused("it says 409 and no size"),
            },
            _ => refused(&text),
        }
    }
}

/// The witness's line among those of an answer; lines of others are passed over.
fn cosignature(text: &str, note: &SignedNote, witness: &VerifierKey) -> Result<(NoteSignature, u64), String> {
    let lines = text.split_terminator('\n').filter_map(|line| line.parse::<NoteSignature>().ok());
    let own = lines.into_iter().find(|signature| signature.is_by(witness));
    let signature = own.ok_or_else(|| format!("its answer has no cosignature by {}", witness.name()))?;
    let mut signed = SignedNote::new(note.text().to_owned()).map_err(|error| error.to_string())?;
    signed.push(signature.clone()).map_err(|error| error.to_string())?;
    let verified = signed.verify(std::slice::from_ref(witness)).map_err(|error| error.to_string())?;
    match verified.first().and_then(|verified| verified.timestamp) {
        Some(time) if time > 0 => Ok((signature, time)),
        _ => Err("its cosignature states no time".into()),
    }
}

fn clean(said: &str) -> String {
    let line = said.split("\n\n").next().unwrap_or_default().trim();
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    line.chars().map(printable).take(SAID_CHARS_MAX).collect()
}

impl Refusal {
    /// What to do about it, for whoever runs the log.
    pub fn advice(&self) -> &'static str {
        match self.status {
            200 => {
                "it is not the witness that the policy names, or what stands between it and us changes answers"
            }
            403 => "it knows this log by other keys: give its operator the output of `inferlog keys vkey`",
            404 => {
                "it does not know this log, or the URL is not its submission prefix: give its operator the output of \
                    `inferlog keys vkey`"
            }
            422 => {
                "it does not accept that this log extends what it cosigned: an older copy was restored and written to, or \
                    files are damaged. Stop, run `inferlog verify`, and ask its operator for `inferlog witness forks`"
            }
            500.. => "it failed; it is asked again",
            _ => "its operator can say why",
        }
    }
}
