//! Hostile input: births, pages, tables and marks of any bytes get an answer, never a panic.

use std::path::PathBuf;

use inferlog_disk::replace_file;
use inferlog_disk::sim::SimFs;
use inferlog_record::KeyId;
use inferlog_vault::{RootKey, VaultError};
use proptest::prelude::*;

use crate::harness::{KEYSTORE, create, open, people};

fn file(name: &str) -> PathBuf {
    PathBuf::from(KEYSTORE).join(name)
}

/// Bytes near the real ones: cut, with a few of them changed, repeated, or none of them.
fn near(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = bytes.len();
    let flips = prop::collection::vec((0..len, any::<u8>()), 0..4);
    let near = (flips, 0..=len, 0..=len).prop_map(move |(flips, from, to)| {
        let mut changed = bytes.clone();
        flips.into_iter().for_each(|(at, byte)| changed[at] = byte);
        if from < to {
            changed.drain(from..to);
        }
        changed
    });
    prop_oneof![near, prop::collection::vec(any::<u8>(), 0..300)]
}

/// The births of a few keys.
fn real_births() -> Vec<u8> {
    people(&create(&SimFs::new(1)).unwrap()).wal.births().concat()
}

/// One file of an integrated keystore.
fn real_file(name: &str) -> Vec<u8> {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    people(&vault).wal.integrate(&vault).unwrap();
    fs.files()[&file(name)].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn births(bytes in near(real_births())) {
        let fs = SimFs::new(1);
        let vault = create(&fs).unwrap();
        let absorbed = vault.absorb(&bytes);
        if let Err(error) = &absorbed {
            let known = matches!(error, VaultError::MalformedBirth { at } if *at < bytes.len());
            prop_assert!(known || matches!(error, VaultError::Damaged { .. }), "{}", error);
        }
        vault.sync_absorbed(&[]).unwrap();
        open(&fs).unwrap();
    }

    #[test]
    fn a_page(bytes in near(real_file("pages/00000000.0"))) {
        let fs = SimFs::new(1);
        let vault = create(&fs).unwrap();
        let people = people(&vault);
        people.wal.integrate(&vault).unwrap();
        replace_file(&fs, &file("pages/00000000.0"), &bytes).unwrap();
        let vault = open(&fs).unwrap();
        for slot in 0..4 {
            let _ = vault.open_decision_key(KeyId { page: 0, slot });
        }
        let _ = people.of_alice.read(&vault);
        let _ = vault.find_subject(&crate::harness::system(), b"alice@example.org");
        // Births make good what is missing, unless the page says that it is another's.
        for frame in people.wal.births() {
            let _ = vault.absorb(&frame);
        }
        vault.sync_absorbed(&[]).unwrap();
    }

    #[test]
    fn a_table(bytes in near(real_file("table")), name in prop::sample::select(vec!["table", "table.next"])) {
        let fs = SimFs::new(1);
        drop(create(&fs).unwrap());
        let good = fs.files()[&file("table")].clone();
        replace_file(&fs, &file(name), &bytes).unwrap();
        // Only one that the root key opens is believed.
        prop_assert_eq!(open(&fs).is_ok(), name == "table.next" || bytes == good);
    }

    #[test]
    fn marks(bytes in near(real_file("absorbed")), name in prop::sample::select(vec!["absorbed", "id"])) {
        let fs = SimFs::new(1);
        drop(create(&fs).unwrap());
        replace_file(&fs, &file(name), &bytes).unwrap();
        if let Err(error) = open(&fs) {
            let damaged = matches!(error, VaultError::Damaged { .. });
            prop_assert!(damaged, "{}", error);
        }
    }

    #[test]
    fn a_root_key(text in "(inferlog-root-v1 )?[0-9a-f \n]{0,80}") {
        if let Some(root) = RootKey::parse(&text) {
            prop_assert_eq!(RootKey::parse(&root.to_line()), Some(root));
        }
    }
}
