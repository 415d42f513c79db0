//! What each `sslmode` verifies, against a server with a certificate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/postgres.rs"]
mod server;

use inferlog_index::postgres::{Interrupt, Place, postgres_reader};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use server::Server;

/// An authority, and a certificate that it gave to `localhost`: all in PEM.
struct Tls {
    authority: String,
    certificate: String,
    key: String,
}

fn tls(name: &str) -> Tls {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Tls { authority: issuer.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Whether the session is encrypted, or why there is none.
fn connect(url: &str) -> Result<bool, String> {
    let place = Place::of_url(url).map_err(|error| error.to_string())?;
    let reader = postgres_reader(&place, &Interrupt::default()).map_err(|error| error.to_string())?;
    let rows = reader.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]);
    Ok(rows.map_err(|error| error.to_string())?[0].get(0))
}

#[test]
fn each_mode_verifies_what_it_says() {
    let (ours, strangers) = (tls("ours"), tls("strangers"));
    let server = Server::start_with_tls(&ours.certificate, &ours.key);
    server.database("tls");
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        format!("&sslrootcert={}", path.display())
    };
    let (known, unknown) = (file("known.pem", &ours.authority), file("unknown.pem", &strangers.authority));
    let empty = file("empty.pem", "");
    let table: [(&str, &str, &str, Result<bool, &str>); 12] = [
        ("localhost", "disable", "", Ok(false)),
        ("localhost", "prefer", "", Ok(true)),
        // Encrypted, whoever answers.
        ("localhost", "require", "", Ok(true)),
        // With an authority, `require` is `verify-ca`, as libpq has it.
        ("localhost", "require", &unknown, Err("UnknownIssuer")),
        ("127.0.0.1", "require", &known, Ok(true)),
        ("127.0.0.1", "verify-ca", &known, Ok(true)),
        ("127.0.0.1", "verify-ca", &unknown, Err("UnknownIssuer")),
        ("localhost", "verify-full", &known, Ok(true)),
        ("127.0.0.1", "verify-full", &known, Err("certificate not valid for name")),
        ("localhost", "verify-full", &unknown, Err("UnknownIssuer")),
        // The system's authorities do not know ours.
        ("localhost", "verify-full", "", Err("")),
        ("localhost", "verify-full", &empty, Err("holds no certificate")),
    ];
    for (host, mode, roots, expected) in table {
        let found = connect(&server.tcp_url(host, "tls", &format!("?sslmode={mode}{roots}")));
        match expected {
            Ok(encrypted) => assert_eq!(found, Ok(encrypted), "{host} {mode} {roots}"),
            Err(why) => {
                let error = found.expect_err(&format!("{host} {mode} {roots}"));
                assert!(error.contains(why), "{host} {mode} {roots}: {error}");
            }
        }
    }
    assert!(
        connect(&server.tcp_url("localhost", "tls", "?sslmode=allow")).unwrap_err().contains("verify-full")
    );
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let server = Server::start();
    server.database("plain");
    let with = |mode: &str| connect(&server.tcp_url("localhost", "plain", mode));
    assert_eq!(with(""), Ok(false), "on this machine, TLS is used if it is offered");
    assert_eq!(with("?sslmode=prefer"), Ok(false));
    assert!(with("?sslmode=require").unwrap_err().contains("does not support TLS"));
}
