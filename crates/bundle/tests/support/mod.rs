//! A bundle by the real writer, of a log whose keys, ids and times are the same in every run: agentic and plain decisions, content
//! that was erased, that never was captured, that is no text; a checkpoint that a witness cosigned and an authority timestamped.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

pub mod archive;
#[path = "../../../timestamp/tests/authority/mod.rs"]
mod authority;

use std::io::Cursor;
use std::path::Path;

use authority::{Authority, GOOD};
use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_audit::Openings;
use inferlog_bundle::layout::Disclosure;
use inferlog_bundle::report::html;
use inferlog_bundle::verify::{BundleReport, VerifyOptions, verify};
use inferlog_bundle::write::{Selection, SignText, WriteOptions, select, write};
use inferlog_log::{LogReader, write_timestamp, write_vouched};
use inferlog_merkle::{
    KeyKind, SignedNote, VerifierKey, cosignature_line, cosignature_message, ed25519_signature_line,
};
use inferlog_record::body::Outcome;
use inferlog_record::{Id, MediaType, PayloadRole as Role};
use inferlog_timestamp::{Roots, request};
use sha2::{Digest, Sha256};

pub use archive::Files;

use crate::agentic::{Agentic, agentic};
use crate::world::{DIR, OneKey, closed, inference, opened};

pub const WITNESS: &str = "witness.example/tests";
/// When it cosigned, seconds since 1970.
pub const COSIGNED_AT: u64 = 1_800_000_000;
/// The build that says it wrote.
pub const BUILD: &str = concat!("inferlog/", env!("CARGO_PKG_VERSION"));

/// Signs with the key that signs the tests' logs.
pub struct Key(pub SigningKey);

impl Key {
    pub fn of_log() -> Self {
        Self(SigningKey::from_bytes(&[7; 32]))
    }

    pub fn of_nobody() -> Self {
        Self(SigningKey::from_bytes(&[66; 32]))
    }

    pub fn vkey(&self, name: &str) -> VerifierKey {
        VerifierKey::new(name, KeyKind::Ed25519, self.0.verifying_key().as_bytes()).unwrap()
    }

    /// A note of one signature.
    pub fn note(&self, origin: &str, text: &str) -> Vec<u8> {
        format!("{text}\n{}", self.sign(origin, text).unwrap()).into_bytes()
    }
}

impl SignText for Key {
    fn sign(&self, origin: &str, text: &str) -> Result<String, String> {
        let signature = self.0.sign(text.as_bytes()).to_bytes();
        let line = ed25519_signature_line(origin, self.0.verifying_key().as_bytes(), &signature);
        Ok(line.unwrap().to_string())
    }
}

pub fn witness() -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[9; 32]);
    let vkey = VerifierKey::new(WITNESS, KeyKind::Cosignature, key.verifying_key().as_bytes()).unwrap();
    (key, vkey)
}

/// The log, and what a reader of its bundles has from elsewhere.
pub struct Made {
    pub agentic: Agentic,
    pub origin: String,
    /// By id.
    pub decisions: Vec<Id>,
    /// The root of the authority, PEM.
    pub roots: Vec<u8>,
    /// The checkpoint, cosigned.
    pub checkpoint: SignedNote,
}

impl Made {
    pub fn new() -> Self {
        let mut agentic = agentic();
        plain(&mut agentic);
        let world = &agentic.sealer.world;
        let dir = world.dir("credit").clone();
        let (note, checkpoint) = LogReader::new(world.fs.clone(), dir.clone()).checkpoint().unwrap().unwrap();
        let (key, _) = witness();
        let mut cosigned = note;
        let message = cosignature_message(COSIGNED_AT, cosigned.text());
        let signature = key.sign(message.as_bytes()).to_bytes();
        let public = key.verifying_key().to_bytes();
        cosigned.push(cosignature_line(WITNESS, &public, COSIGNED_AT, &signature).unwrap()).unwrap();
        write_vouched(&*world.fs, &dir, checkpoint.size(), cosigned.to_string().as_bytes()).unwrap();
        let authority = Authority::new();
        authority.certify("authority", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", GOOD);
        let asked = request(cosigned.text().as_bytes(), 7, None).unwrap();
        let stamp = authority.answer("authority", &asked, "");
        write_timestamp(&*world.fs, &dir, checkpoint.size(), 0, &stamp).unwrap();
        let all = select(&world.fs, Path::new(DIR), &Selection::default(), &mut |_| {}).unwrap();
        let origin = checkpoint.origin().to_owned();
        Self { agentic, origin, decisions: all, roots: authority.root(), checkpoint: cosigned }
    }

    /// A bundle of all decisions.
    pub fn bundle(&self, roles: &[&str], sealed: bool) -> Vec<u8> {
        self.bundle_of(&self.decisions, roles, sealed, BUILD)
    }

    pub fn bundle_of(&self, decisions: &[Id], roles: &[&str], sealed: bool, build: &str) -> Vec<u8> {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let options = WriteOptions {
            decisions: decisions.to_vec(),
            disclosure: Disclosure { classes: Vec::new(), roles, sealed },
            build: build.to_owned(),
        };
        let sealer = &self.agentic.sealer;
        let openings = Some(&sealer.vault as &dyn Openings);
        let mut out = Cursor::new(Vec::new());
        write(&sealer.world.fs, Path::new(DIR), &options, openings, &Key::of_log(), &mut out, &mut |_| {})
            .unwrap();
        out.into_inner()
    }

    /// What a reader brings who has everything from elsewhere.
    pub fn known(&self) -> VerifyOptions {
        VerifyOptions {
            keys: vec![OneKey::new().vkey(&self.origin)],
            witnesses: vec![witness().1],
            tsa_roots: Some(Roots::from_pem(&self.roots).unwrap()),
            ..VerifyOptions::default()
        }
    }
}

/// A decision with bytes that are no text, in an entry that takes several parts.
fn plain(agentic: &mut Agentic) {
    let sealer = &mut agentic.sealer;
    sealer.world.tick(1_000_000_000);
    let mut draft = sealer.begin("Grace");
    let mut begun = sealer.world.event("credit", opened("score"));
    sealer.add(&mut draft, &mut begun, Role::InputRaw, MediaType::Bytes, &[0xff, 0, 13, 10]);
    let (input, begun_id) = (begun.payloads[0], begun.id);
    sealer.write(&mut draft, vec![begun]);
    sealer.world.tick(1_000_000);
    let mut answer = sealer.world.event("credit", inference());
    answer.payloads.push(input.again(Role::InputAssembled, begun_id));
    for number in 0..200 {
        let text = format!("{number}: {}", "long ".repeat(number % 7));
        sealer.add(&mut draft, &mut answer, Role::OutputRaw, MediaType::Text, text.as_bytes());
    }
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.ended_at = end.started_at;
    sealer.write(&mut draft, vec![answer, end]);
    sealer.world.integrate();
}

/// Files that SHA256SUMS does not list.
pub const UNLISTED: [&str; 4] = ["SHA256SUMS", "manifest", "report.html", "report.note"];

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Makes the sums anew.
pub fn sum(files: &mut Files) {
    let listed = files.0.iter().filter(|(path, _)| !UNLISTED.contains(&path.as_str()));
    let sums: String = listed.map(|(path, bytes)| format!("{}  {path}\n", hex_sha256(bytes))).collect();
    files.0.insert("SHA256SUMS".into(), sums.into_bytes());
}

/// Signs the sums and the page, and makes the page anew unless it is the page that was changed.
pub fn sign(files: &mut Files, origin: &str, key: &Key, changed: &str) {
    let note = |domain: &str, bytes: &[u8]| key.note(origin, &format!("{domain}\n{}\n", hex_sha256(bytes)));
    if let Some(sums) = files.0.get("SHA256SUMS").filter(|_| changed != "manifest") {
        let manifest = note("inferlog bundle v1", sums);
        files.0.insert("manifest".into(), manifest);
    }
    if changed != "report.html" {
        let page = html(files).unwrap();
        files.0.insert("report.html".into(), page.into_bytes());
    }
    if let Some(page) = files.0.get("report.html").filter(|_| changed != "report.note") {
        let signed = note("inferlog bundle report v1", page);
        files.0.insert("report.note".into(), signed);
    }
}

pub fn check(files: &Files, options: &VerifyOptions) -> BundleReport {
    verify(files, options, &mut |_| {})
}

/// Faults, one a line: check, file, place.
pub fn places(report: &BundleReport) -> Vec<String> {
    let line = |fault: &inferlog_bundle::verify::Fault| {
        let place = fault.place.as_deref().unwrap_or("");
        format!("{} {} {place}", fault.check.as_str(), fault.file).trim_end().to_owned()
    };
    report.faults.iter().map(line).collect()
}
