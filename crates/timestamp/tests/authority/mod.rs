//! A timestamping authority on this machine: a root and certificates made by `openssl`, answers by `openssl ts`.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]
#![allow(clippy::disallowed_methods, reason = "keeps its keys in a directory of its own")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

/// Tests share an authority, and its files have one name each: they take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const CONFIG: &str = "\
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[ca]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = policy
unique_subject = no
[policy]
organizationName = optional
commonName = supplied
[tsa]
serial = tsa.serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha384
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
ess_cert_id_chain = no
";

/// What makes a certificate one of a timestamping authority (RFC 3161 §2.3).
pub const GOOD: &str = "basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
";

/// Keys and certificates in a directory of their own.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    /// A new root.
    pub fn new() -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        authority.write("config", CONFIG.as_bytes());
        authority.write("index.txt", b"");
        authority.write("serial", b"1000");
        authority.write("tsa.serial", b"01");
        authority.openssl("ecparam -name prime256v1 -genkey -noout -out root.key");
        authority.openssl("req -x509 -new -key root.key -out root.pem -subj /O=Tests/CN=Root -days 3650 -config config -extensions root");
        authority
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> Vec<u8> {
        self.read("root.pem")
    }

    /// `name.key` and `name.pem`, under the root. `key` is what `genpkey` takes.
    pub fn certify(&self, name: &str, key: &str, extensions: &str) {
        self.certify_at(name, key, extensions, "20200101000000Z", "20991231000000Z");
    }

    /// The same, valid between two times.
    pub fn certify_at(&self, name: &str, key: &str, extensions: &str, from: &str, to: &str) {
        self.write("extensions", format!("[it]\n{extensions}").as_bytes());
        self.openssl(&format!("genpkey {key} -out {name}.key"));
        self.openssl(&format!(
            "req -new -key {name}.key -out {name}.csr -subj /O=Tests/CN={name} -config config"
        ));
        self.openssl(&format!(
            "ca -batch -notext -config config -name ca -in {name}.csr -cert root.pem -keyfile root.key -out {name}.pem \
             -startdate {from} -enddate {to} -extfile extensions -extensions it"
        ));
    }

    /// The answer of `openssl ts` to a request; `options` are further lines of its section.
    pub fn answer(&self, name: &str, request: &[u8], options: &str) -> Vec<u8> {
        let _turn = turn();
        self.write("request.tsq", request);
        self.write("ts", format!("{CONFIG}{options}\n").as_bytes());
        self.openssl(&format!(
            "ts -reply -config ts -section tsa -queryfile request.tsq -signer {name}.pem -inkey {name}.key -out response.tsr"
        ));
        self.read("response.tsr")
    }

    /// The content of a response signed anew, by a certificate that `openssl ts` would not sign with.
    pub fn sign_anew(&self, name: &str, response: &[u8], options: &str) -> Vec<u8> {
        let _turn = turn();
        self.write("response.tsr", response);
        self.openssl("ts -reply -in response.tsr -token_out -out token");
        self.openssl("cms -verify -noverify -inform DER -in token -out content");
        self.openssl(&format!(
            "cms -sign -in content -binary -nodetach -nosmimecap -outform DER -signer {name}.pem -inkey {name}.key -cades \
             -econtent_type 1.2.840.113549.1.9.16.1.4 -out token {options}"
        ));
        // TimeStampResp: status granted, then the token.
        let body = [&[0x30, 3, 2, 1, 0], self.read("token").as_slice()].concat();
        [&[0x30, 0x82], u16::try_from(body.len()).unwrap().to_be_bytes().as_slice(), &body].concat()
    }

    /// Whether `openssl` says that a response is good for these files.
    pub fn is_good(&self, response: &[u8], against: &str) -> bool {
        let _turn = turn();
        self.write("response.tsr", response);
        let words = format!("ts -verify -in response.tsr -CAfile root.pem {against}");
        self.command(&words).output().unwrap().status.success()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    /// Runs `openssl` in the directory.
    pub fn openssl(&self, words: &str) {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {said}");
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(self.path());
        command.env("OPENSSL_CONF", self.path().join("config"));
        command
    }
}
