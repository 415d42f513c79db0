//! An entry as a verifier reads it (format.md, section 4): in one pass, without building values.

use std::ops::Range;

use super::{Cursor, Malformed};

/// Length of an id in text.
const ID_BYTES: usize = 36;
/// Length of a time in text.
const TIME_BYTES: usize = 30;
/// Length of a digest in text.
const DIGEST_BYTES: usize = 64;

/// One entry, read. Kept from entry to entry, so that its lists are allocated once.
#[derive(Debug, Default)]
pub(crate) struct EntryScan<'a> {
    /// The decision that all events belong to, as text.
    pub(crate) decision: Option<&'a [u8]>,
    pub(crate) part: u64,
    pub(crate) of: u64,
    pub(crate) events: Vec<EventScan<'a>>,
    /// The references of all events, in order.
    pub(crate) references: Vec<ReferenceScan>,
}

#[derive(Debug, Default)]
pub(crate) struct EventScan<'a> {
    pub(crate) kind: &'a [u8],
    /// The time as it stands.
    pub(crate) logged_at: &'a [u8],
    pub(crate) retention: &'a [u8],
    /// The JSON of `body`; empty if it is absent.
    pub(crate) body: &'a [u8],
    /// The JSON of `subjects`; empty if it is absent.
    pub(crate) subjects: &'a [u8],
    /// The JSON of `redactions`; empty if it is absent.
    pub(crate) redactions: &'a [u8],
    /// The JSON of the whole event.
    pub(crate) json: &'a [u8],
    /// Its references among those of the entry.
    pub(crate) references: Range<usize>,
}

/// Whether a payload is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Present,
    Erased,
    Purged,
    Redacted,
    NotCaptured,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceScan {
    pub(crate) payload: [u8; 16],
    pub(crate) state: State,
    /// Whether an earlier event recorded it.
    pub(crate) is_again: bool,
    /// SHA-256 of the sealed bytes, where the payload was born here and is sealed.
    pub(crate) sealed: Option<[u8; 32]>,
}

impl<'a> EntryScan<'a> {
    /// Reads an entry and checks its form: canonical JSON, the members that section 4 lists, references that are whole.
    pub(crate) fn read(&mut self, entry: &'a [u8]) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(entry);
        self.entry(&mut cursor).ok_or_else(|| cursor.malformed())
    }

    fn entry(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        self.decision = None;
        (self.part, self.of) = (1, 1);
        self.events.clear();
        self.references.clear();
        let mut version = 0;
        cursor.object(|cursor, key| {
            match key {
                b"decision" => self.decision = Some(id(cursor)?.0),
                b"events" => cursor.array(|cursor| self.event(cursor))?,
                b"of" => self.of = unsigned(cursor)?,
                b"part" => self.part = unsigned(cursor)?,
                b"v" => version = unsigned(cursor)?,
                _ => cursor.skip()?,
            }
            Some(())
        })?;
        cursor.end()?;
        match () {
            () if version != 1 => {
                cursor.fail_at(0, "the member v is not 1: the entry is of another version of the format")
            }
            () if self.events.is_empty() => cursor.fail_at(0, "the entry has no events"),
            () if self.part == 0 || self.part > self.of => cursor.fail_at(0, "part is not within 1 and of"),
            () => Some(()),
        }
    }

    /// The retention class and UTC day (`YYYY-MM-DD`) by which the payloads born with this entry are filed.
    pub(crate) fn place(&self) -> (&'a [u8], &'a [u8]) {
        self.events
            .first()
            .map_or((b"", b""), |event| (event.retention, event.logged_at.get(..10).unwrap_or_default()))
    }

    fn event(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        let start = cursor.at();
        let first = self.references.len();
        let mut event = EventScan::default();
        let mut has_id = false;
        cursor.object(|cursor, key| {
            match key {
                b"body" => event.body = raw(cursor)?,
                b"id" => has_id = id(cursor).map(|_| true)?,
                b"kind" => event.kind = name(cursor)?,
                b"logged_at" => event.logged_at = time(cursor)?,
                b"payloads" => cursor.array(|cursor| {
                    self.references.push(reference(cursor)?);
                    Some(())
                })?,
                b"retention" => event.retention = name(cursor)?,
                b"redactions" => event.redactions = raw(cursor)?,
                b"subjects" => event.subjects = raw(cursor)?,
                _ => cursor.skip()?,
            }
            Some(())
        })?;
        if !has_id || event.kind.is_empty() || event.logged_at.is_empty() || event.retention.is_empty() {
            return cursor.fail_at(start, "an event lacks id, kind, logged_at or retention");
        }
        event.json = cursor.since(start);
        event.references = first..self.references.len();
        self.events.push(event);
        Some(())
    }
}

fn reference(cursor: &mut Cursor<'_>) -> Option<ReferenceScan> {
    let start = cursor.at();
    let mut payload = None;
    let (mut role, mut state, mut reason, mut class, mut key_id) = (&b""[..], &b""[..], None, None, &b""[..]);
    let (mut sealed, mut sha256) = (None, false);
    let (mut has_first, mut has_commitment, mut has_encoding, mut has_media_type, mut has_size) =
        (false, false, false, false, false);
    cursor.object(|cursor, key| {
        match key {
            b"class" => class = Some(name(cursor)?),
            b"commitment" => has_commitment = digest(cursor).map(|_| true)?,
            b"encoding" => has_encoding = matches!(name(cursor)?, b"identity" | b"zstd"),
            b"first" => has_first = id(cursor).map(|_| true)?,
            b"key_id" => key_id = key_address(cursor)?,
            b"media_type" => has_media_type = !name(cursor)?.is_empty(),
            b"payload" => payload = Some(decode(&id(cursor)?.1)),
            b"reason" => reason = Some(name(cursor)?),
            b"role" => role = name(cursor)?,
            b"sealed" => sealed = Some(digest(cursor)?),
            b"sha256" => sha256 = digest(cursor).map(|_| true)?,
            b"size" => has_size = size(cursor)?,
            b"state" => state = name(cursor)?,
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    let content = class.is_some() | has_commitment | has_encoding | has_media_type | has_size;
    let content = content | !key_id.is_empty() | sealed.is_some() | sha256;
    let described = class.is_some() && has_encoding && has_media_type && has_size;
    let keyed = has_commitment && !key_id.is_empty() && sealed.is_some();
    let unkeyed = !has_commitment && key_id.is_empty() && sealed.is_none();
    let problem = match (state, has_first) {
        _ if payload.is_none() || role.is_empty() => Some("a reference lacks payload or role"),
        (b"present" | b"redacted" | b"erased" | b"purged" | b"not_captured", true) => {
            (content || reason.is_some()).then_some("beside first stand only payload, role and state")
        }
        (b"present", false) if reason.is_some() => Some("a payload that is present has a reason"),
        (b"present", false) if !described => {
            Some("a present reference lacks class, encoding, media_type or size")
        }
        (b"present", false) if class == Some(b"shared") => (!sha256 || !unkeyed)
            .then_some("a shared reference has sha256, and no key_id, commitment or sealed"),
        (b"present", false) => (sha256 || !keyed)
            .then_some("a sealed reference has key_id, commitment and sealed, and no sha256"),
        (b"redacted" | b"erased" | b"purged" | b"not_captured", false) => match reason {
            _ if content => Some("a payload that is not there has only payload, reason, role and state"),
            None => Some("a payload that is not there has no reason"),
            Some(reason) => (!explains(state, reason)).then_some("the reason does not go with the state"),
        },
        _ => Some("a reference has an unknown state"),
    };
    match (problem, payload) {
        (None, Some(payload)) => {
            Some(ReferenceScan { payload, state: state_of(state), is_again: has_first, sealed })
        }
        (problem, _) => cursor.fail_at(start, problem.unwrap_or("a reference lacks payload")),
    }
}

fn state_of(text: &[u8]) -> State {
    match text {
        b"present" => State::Present,
        b"erased" => State::Erased,
        b"purged" => State::Purged,
        b"redacted" => State::Redacted,
        _ => State::NotCaptured,
    }
}

/// An erased or purged payload names the event behind it; the other reasons need none.
fn explains(state: &[u8], reason: &[u8]) -> bool {
    let event = |prefix: &[u8]| reason.strip_prefix(prefix).map(|id| uuid(id).is_some());
    match (event(b"erased_by_order:"), event(b"purged_by_policy:")) {
        (Some(is_id), _) => state == b"erased" && is_id,
        (_, Some(is_id)) => state == b"purged" && is_id,
        _ => state != b"erased" && state != b"purged" && !reason.is_empty(),
    }
}

fn raw<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = cursor.at();
    cursor.skip()?;
    Some(cursor.since(start))
}

fn name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = cursor.at();
    let name = cursor.plain()?;
    if name.is_empty() { cursor.fail_at(start, "an empty name") } else { Some(name) }
}

/// An id: its text and its 32 digits.
#[inline]
fn id<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], [u8; 32])> {
    let found = cursor.fixed::<ID_BYTES, _>(id_digits);
    found.or_else(|| cursor.fail("expected an id (UUIDv7)"))
}

fn id_digits(id: &[u8; ID_BYTES]) -> Option<[u8; 32]> {
    let mut digits = [0; 32];
    digits[..8].copy_from_slice(&id[..8]);
    digits[8..12].copy_from_slice(&id[9..13]);
    digits[12..16].copy_from_slice(&id[14..18]);
    digits[16..20].copy_from_slice(&id[19..23]);
    digits[20..].copy_from_slice(&id[24..]);
    let hyphens = (id[8] == b'-') & (id[13] == b'-') & (id[18] == b'-') & (id[23] == b'-');
    let is_id = hyphens && is_hex(&digits) && id[14] == b'7' && matches!(id[19], b'8' | b'9' | b'a' | b'b');
    is_id.then_some(digits)
}

fn time<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let found = cursor.fixed::<TIME_BYTES, _>(|time| is_time(time).then_some(()));
    match found {
        Some((time, ())) => Some(time),
        None => cursor.fail("expected a time (RFC 3339, UTC, nine fractional digits)"),
    }
}

fn is_time(time: &[u8; TIME_BYTES]) -> bool {
    const FORM: &[u8; TIME_BYTES] = b"dddd-dd-ddTdd:dd:dd.dddddddddZ";
    time.iter().zip(FORM).fold(true, |is_time, (byte, form)| {
        is_time & if *form == b'd' { byte.is_ascii_digit() } else { byte == form }
    })
}

#[inline]
fn digest(cursor: &mut Cursor<'_>) -> Option<[u8; 32]> {
    let found = cursor.fixed::<DIGEST_BYTES, _>(|digest| is_hex(digest).then(|| decode(digest)));
    match found {
        Some((_, bytes)) => Some(bytes),
        None => cursor.fail("expected a digest (64 lower-case hexadecimal digits)"),
    }
}

/// `<page>.<slot>`, both decimal in their one spelling.
fn key_address<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = cursor.at();
    let address = cursor.plain()?;
    let dot = address.iter().position(|byte| *byte == b'.').unwrap_or(address.len());
    let (page, slot) = (&address[..dot], address.get(dot + 1..).unwrap_or_default());
    if is_decimal(page, 10) && is_decimal(slot, 5) {
        Some(address)
    } else {
        cursor.fail_at(start, "expected the address of a key, <page>.<slot>")
    }
}

/// A size: an integer, or a string of digits beyond 2^53.
fn size(cursor: &mut Cursor<'_>) -> Option<bool> {
    let start = cursor.at();
    if cursor.is_at(b'"') {
        let text = cursor.plain()?;
        let is_large = is_decimal(text, 20) && text.len() >= 16;
        return if is_large { Some(true) } else { cursor.fail_at(start, "expected a size") };
    }
    unsigned(cursor).map(|_| true)
}

fn unsigned(cursor: &mut Cursor<'_>) -> Option<u64> {
    let start = cursor.at();
    let number = cursor.integer()?;
    u64::try_from(number).ok().or_else(|| cursor.fail_at(start, "expected a number that is not negative"))
}

fn is_decimal(text: &[u8], digits_max: usize) -> bool {
    (1..=digits_max).contains(&text.len())
        && text.iter().all(u8::is_ascii_digit)
        && (text == b"0" || !text.starts_with(b"0"))
}

/// Lower-case hexadecimal digits alone. Looks at all of them: without a branch per byte this is a few vector instructions.
fn is_hex(text: &[u8]) -> bool {
    text.iter().fold(true, |is_hex, byte| is_hex & (byte.is_ascii_digit() | (b'a'..=b'f').contains(byte)))
}

/// The 16 bytes of an id in text; `None` if the text is none.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; ID_BYTES] = text.try_into().ok()?;
    id_digits(text).map(|digits| decode(&digits))
}

/// The bytes of digits that [`is_hex`] found to be such. Without a branch, as vectors can do it.
fn decode<const DIGITS: usize, const BYTES: usize>(digits: &[u8; DIGITS]) -> [u8; BYTES] {
    let value = |digit: u8| (digit & 15) + (digit >> 6) * 9;
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    bytes
}
