//! Removing one payload from a pack as somebody would who knows the format, and leaves no sign in the pack itself.

use std::fs;
use std::path::{Path, PathBuf};

/// Takes the record of a payload out of whatever pack holds it: another id stands in its place, and the checksum is right.
pub fn remove_payload(log: &Path, payload: &str) {
    let id = hex::decode(payload.replace('-', "")).unwrap();
    let mut removed = 0;
    for pack in packs(&log.join("packs")) {
        let mut bytes = fs::read(&pack).unwrap();
        // docs/format.md, section 5: header of 64 bytes, then CRC-32C (4), length of the sealed bytes (4), id (16), index (8), bytes.
        let mut at = 64;
        while at < bytes.len() {
            let length = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
            let end = at + 32 + length;
            if bytes[at + 8..at + 24] == id {
                bytes[at + 23] ^= 1;
                let sum = crc32c(&bytes[at + 4..end]);
                bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
                removed += 1;
            }
            at = end;
        }
        fs::write(&pack, bytes).unwrap();
    }
    assert_eq!(removed, 1, "the payload was in a pack");
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match entry.file_type().unwrap().is_dir() {
            true => packs.extend(self::packs(&path)),
            false if path.extension().is_some_and(|end| end == "pack") => packs.push(path),
            false => {}
        }
    }
    packs
}

/// CRC-32C, bit by bit (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
