//! Witnesses, and logs that share their first entries.

use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_merkle::{KeyKind, SignedNote, VerifierKey, cosignature_line, cosignature_message};

use super::{START_NS, World};

pub const SECOND_NS: u64 = 1_000_000_000;
pub const COSIGNED_AT: u64 = START_NS / SECOND_NS + 7_200;

pub fn witness(number: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[number; 32]);
    let name = format!("witness.example/w{number}");
    let vkey = VerifierKey::new(&name, KeyKind::Cosignature, &key.verifying_key().to_bytes()).unwrap();
    (key, vkey)
}

/// The note with the cosignature of a witness.
pub fn cosign(note: &[u8], number: u8, at: u64) -> SignedNote {
    let mut note = SignedNote::parse(note).unwrap();
    let (key, vkey) = witness(number);
    let signature = key.sign(cosignature_message(at, note.text()).as_bytes()).to_bytes();
    note.push(cosignature_line(vkey.name(), vkey.public_key(), at, &signature).unwrap()).unwrap();
    note
}

/// A log with so many decisions of so many bytes each, integrated after each part. Logs with the same first parts have the same
/// first entries.
pub fn log(parts: &[(usize, usize)]) -> (SimFs, World) {
    let (fs, mut world) = World::sim(256 << 10);
    world.create("credit");
    for (decisions, bytes) in parts {
        world.fill("credit", *decisions, *bytes);
        world.integrate();
    }
    (fs, world)
}

pub fn checkpoint(fs: &SimFs, world: &World) -> Vec<u8> {
    fs.read(&world.dir("credit").checkpoint()).unwrap()
}
