//! Homes of the root key, on the real file system and in real processes.

#![expect(clippy::disallowed_methods, reason = "looks at real files from outside")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{OsRng, RealFs, SystemClock};
use inferlog_vault::{
    CommandRoot, EnvRoot, Erasure, KeystoreId, OldRoot, RootError, RootKey, RootSource, RootStore, Vault,
};

use crate::harness::{LOG, Payload, id, scope, system};

fn file(path: &Path) -> Box<dyn RootStore> {
    RootSource::parse(&format!("file:{}", path.display())).unwrap().store(Arc::new(RealFs))
}

fn create(dir: &Path, roots: Box<dyn RootStore>) -> Vault {
    let id = KeystoreId::random(&OsRng).unwrap();
    Vault::create(Arc::new(RealFs), Arc::new(OsRng), Arc::new(SystemClock), dir, id, roots).unwrap()
}

fn open(dir: &Path, roots: Box<dyn RootStore>) -> inferlog_vault::Result<Vault> {
    Vault::open(Arc::new(RealFs), Arc::new(OsRng), Arc::new(SystemClock), dir, roots)
}

/// A decision about one person, integrated; its payload and what erases it.
fn one_person(vault: &Vault) -> (Payload, Erasure) {
    let subject = vault.subject(&system(), b"alice").unwrap();
    let key = vault.decision_key(&scope(), id(1), std::slice::from_ref(&subject)).unwrap();
    vault.absorb(&key.births().unwrap()).unwrap();
    vault.sync_absorbed(&[(LOG, 1)]).unwrap();
    let erasure = Erasure { subjects: vec![subject.reference()], ..Erasure::default() };
    (Payload::seal(&key, 2, "about Alice"), erasure)
}

#[test]
fn a_root_file_is_its_owners_alone_and_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (dir, root) = (home.path().join("keystore"), home.path().join("config/inferlog.root"));
    let vault = create(&dir, file(&root));
    let mode = || std::fs::metadata(&root).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let (payload, erasure) = one_person(&vault);
    // A second name for the old file shows what becomes of its bytes.
    let kept = home.path().join("kept");
    std::fs::hard_link(&root, &kept).unwrap();
    let old = std::fs::read_to_string(&kept).unwrap();
    let digests =
        |vault: &Vault| [Some("id"), Some("trace"), None].map(|kind| vault.index_digest(kind, b"r-1"));
    let digest = digests(&vault);
    assert!(
        digest[0] != digest[1]
            && digest[0] != digest[2]
            && digest[0] != vault.index_digest(Some("id"), b"r-2")
    );
    // Lengths keep kind and value apart.
    assert_ne!(vault.index_digest(Some("a"), b"bc"), vault.index_digest(Some("ab"), b"c"));
    let report = vault.erase(&erasure, (LOG, 1)).unwrap();
    assert_eq!((report.old_root, report.root_epoch), (OldRoot::Destroyed, 2));
    assert_eq!(mode(), 0o600);
    assert!(std::fs::read(&kept).unwrap().iter().all(|byte| *byte == 0));
    assert_eq!(std::fs::metadata(&root).unwrap().nlink(), 1);
    let new = std::fs::read_to_string(&root).unwrap();
    assert!(old.starts_with("inferlog-root-v1 1 ") && new.starts_with("inferlog-root-v1 2 "));
    drop(vault);
    let vault = open(&dir, file(&root)).unwrap();
    assert_eq!(digests(&vault), digest, "an index outlives the root key");
    payload.assert_erased(&vault);

    // The old one, put back, is told apart.
    std::fs::write(&root, old).unwrap();
    let error = open(&dir, file(&root)).err().unwrap().to_string();
    assert!(error.contains("root key (epoch 1)") && error.contains("(epoch 2)"), "{error}");
}

#[test]
fn a_root_file_that_others_can_read_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (dir, root) = (home.path().join("keystore"), home.path().join("inferlog.root"));
    drop(create(&dir, file(&root)));
    for mode in [0o640, 0o604, 0o660, 0o644] {
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = open(&dir, file(&root)).err().unwrap().to_string();
        assert_eq!(error, format!("others can read the root key: chmod 600 {}", root.display()));
    }
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(open(&dir, file(&root)).is_ok());
}

#[test]
fn a_root_file_is_missing_malformed_or_taken() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("inferlog.root");
    assert!(matches!(file(&root).get(), Err(RootError::Missing { .. })));
    std::fs::write(&root, "secret").unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(file(&root).get(), Err(RootError::Malformed { .. })));
    assert!(matches!(file(&root).create(&RootKey::new(1, [1; 32])), Err(RootError::Exists { .. })));
    assert_eq!(std::fs::read_to_string(&root).unwrap(), "secret");
}

/// No test sets a variable of its own process: others run beside it.
#[test]
fn a_variable_that_is_not_set_or_is_no_root_key() {
    let missing = EnvRoot::new("INFERLOG_TEST_NOT_SET".into()).get();
    assert!(matches!(missing, Err(RootError::Missing { .. })));
    assert!(matches!(EnvRoot::new("PATH".into()).get(), Err(RootError::Malformed { .. })));
    let replaced = EnvRoot::new("PATH".into()).replace(&RootKey::new(2, [1; 32]));
    assert!(matches!(replaced, Err(RootError::NotReplaced { .. })));
}

/// A key service of a few lines of shell.
fn service(dir: &Path, replace: &str) -> Box<dyn RootStore> {
    let at = dir.join("service").display().to_string();
    let command = format!(r#"case "$INFERLOG_ROOT_ACTION" in get) cat '{at}';; replace) {replace};; esac"#);
    Box::new(CommandRoot::new(command.replace("AT", &at)))
}

#[test]
fn a_command_gives_and_replaces_the_root_key() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keystore");
    let works = || service(home.path(), "cat > 'AT'");
    let vault = create(&dir, works());
    let (payload, erasure) = one_person(&vault);
    let report = vault.erase(&erasure, (LOG, 1)).unwrap();
    assert_eq!((report.old_root, report.root_epoch), (OldRoot::Destroyed, 2));
    let line = std::fs::read_to_string(home.path().join("service")).unwrap();
    assert!(line.starts_with("inferlog-root-v1 2 "), "{line}");
    payload.assert_erased(&open(&dir, works()).unwrap());

    // One that answers garbage.
    std::fs::write(home.path().join("service"), "no root key").unwrap();
    assert!(open(&dir, works()).err().unwrap().to_string().contains("inferlog-root-v1"));
}

#[test]
fn a_command_that_does_not_replace_keeps_the_root_key() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keystore");
    drop(create(&dir, service(home.path(), "cat > 'AT'")));
    let refuses = || service(home.path(), "echo not allowed >&2; exit 3");
    let vault = open(&dir, refuses()).unwrap();
    let (payload, erasure) = one_person(&vault);
    let report = vault.erase(&erasure, (LOG, 1)).unwrap();
    let OldRoot::Kept(reason) = report.old_root else { panic!("destroyed?") };
    assert!(reason.contains("not allowed") && reason.contains('3'), "{reason}");
    assert_eq!(report.root_epoch, 1);
    payload.assert_erased(&vault);
    payload.assert_erased(&open(&dir, refuses()).unwrap());
}

/// It replaced the key and says that it did not: what it gives decides.
#[test]
fn a_command_that_replaces_and_fails_is_believed_by_what_it_gives() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keystore");
    let vault = create(&dir, service(home.path(), "cat > 'AT'; exit 0"));
    let (payload, erasure) = one_person(&vault);
    drop(vault);
    let lies = || service(home.path(), "cat > 'AT'; exit 4");
    let vault = open(&dir, lies()).unwrap();
    let report = vault.erase(&erasure, (LOG, 1)).unwrap();
    assert!(matches!(report.old_root, OldRoot::Kept(_)));
    assert_eq!(report.root_epoch, 2);
    payload.assert_erased(&open(&dir, lies()).unwrap());
}

#[test]
fn a_command_that_cannot_get_opens_nothing() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keystore");
    drop(create(&dir, service(home.path(), "cat > 'AT'")));
    let broken = Box::new(CommandRoot::new("echo no network >&2; exit 7".into()));
    assert!(open(&dir, broken).err().unwrap().to_string().contains("no network"));
}
