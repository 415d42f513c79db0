//! Held against `openssl ts` as the authority: what is good is believed, and each thing that is wrong is named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

mod authority;

use authority::{Authority, GOOD};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use inferlog_timestamp::{Roots, TimestampError, inspect, request, verify};
use ring::digest;
use x509_cert::Certificate;

const MESSAGE: &[u8] = b"example.org/log\n7\nroot\n";
const NONCE: u64 = 0xfedc_ba98_7654_3210;
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
const P521: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";

fn asked() -> Vec<u8> {
    request(MESSAGE, NONCE, None).unwrap()
}

fn roots(authority: &Authority) -> Roots {
    Roots::from_pem(&authority.root()).unwrap()
}

#[test]
fn good_ones_of_every_algorithm_are_believed() {
    let authority = Authority::new();
    let roots = roots(&authority);
    let cases = [
        (RSA, ""),
        (RSA, "signer_digest = sha512\ness_cert_id_alg = sha256"),
        (P256, "ess_cert_id_alg = sha256"),
        (P256, "signer_digest = sha384\ness_cert_id_alg = sha512"),
        (P384, "signer_digest = sha384"),
    ];
    for (number, (key, options)) in cases.into_iter().enumerate() {
        let name = format!("tsa{number}");
        authority.certify(&name, key, GOOD);
        let response = authority.answer(&name, &asked(), options);
        let stamp = verify(&response, MESSAGE, Some(NONCE), &roots).unwrap();
        assert_eq!(stamp.authority, format!("CN={name},O=Tests"), "{options}");
        assert_eq!(stamp.policy, "1.2.3.4.1");
        assert_eq!(stamp.accuracy_ns, Some(1_500_100_000));
        assert!(stamp.is_ordered);
        assert_eq!(stamp.serial, format!("{:02x}", number + 2), "the authority counts");
        assert!(stamp.time.len() == 30 && stamp.time.ends_with("000000Z"), "milliseconds: {}", stamp.time);
        assert_eq!(inspect(&response, MESSAGE).unwrap(), stamp);
        authority.write("message", MESSAGE);
        assert!(authority.is_good(&response, "-queryfile request.tsq"), "{key} {options}");
        assert!(authority.is_good(&response, "-data message"), "{key} {options}");
    }
}

#[test]
fn rsa_pss_is_believed() {
    let authority = Authority::new();
    authority.certify("tsa", RSA, GOOD);
    let response = authority.answer("tsa", &asked(), "");
    for md in ["sha256", "sha384", "sha512"] {
        let options = format!("-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:-1 -md {md}");
        let response = authority.sign_anew("tsa", &response, &options);
        verify(&response, MESSAGE, Some(NONCE), &roots(&authority)).unwrap();
    }
}

#[test]
fn a_signer_may_be_named_by_his_keys_identifier() {
    let authority = Authority::new();
    authority.certify("tsa", P256, &format!("{GOOD}subjectKeyIdentifier = hash\n"));
    let response = authority.answer("tsa", &asked(), "");
    let response = authority.sign_anew("tsa", &response, "-keyid");
    verify(&response, MESSAGE, Some(NONCE), &roots(&authority)).unwrap();
}

#[test]
fn another_request_or_message_is_named() {
    let authority = Authority::new();
    authority.certify("tsa", P256, GOOD);
    let roots = roots(&authority);
    let response = authority.answer("tsa", &asked(), "");
    assert_eq!(verify(&response, MESSAGE, Some(NONCE + 1), &roots), Err(TimestampError::Nonce));
    assert_eq!(verify(&response, b"another", Some(NONCE), &roots), Err(TimestampError::Imprint));
    assert_eq!(inspect(&response, b"another"), Err(TimestampError::Imprint));
    verify(&response, MESSAGE, None, &roots).unwrap();

    // Asked without a nonce, or for another digest.
    authority.write("message", MESSAGE);
    let asked = |words: &str| {
        authority.openssl(&format!("ts -query -data message -cert -out other.tsq {words}"));
        authority.answer("tsa", &authority.read("other.tsq"), "")
    };
    let without = asked("-sha256 -no_nonce");
    assert_eq!(verify(&without, MESSAGE, Some(NONCE), &roots), Err(TimestampError::Nonce));
    verify(&without, MESSAGE, None, &roots).unwrap();
    assert_eq!(verify(&asked("-sha384"), MESSAGE, None, &roots), Err(TimestampError::Imprint));
}

#[test]
fn whom_nobody_vouches_for_is_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.certify("tsa", P256, GOOD);
    let response = authority.answer("tsa", &asked(), "");
    let error = verify(&response, MESSAGE, Some(NONCE), &roots(&other)).unwrap_err();
    assert!(matches!(error, TimestampError::Untrusted(_)), "{error:?}");
    inspect(&response, MESSAGE).unwrap();
    let both = Roots::from_pem(&[other.root(), authority.root()].concat()).unwrap();
    verify(&response, MESSAGE, Some(NONCE), &both).unwrap();
}

#[test]
fn a_certificate_out_of_its_time_is_named() {
    let authority = Authority::new();
    authority.certify_at("old", P256, GOOD, "20200101000000Z", "20210101000000Z");
    authority.certify_at("new", P256, GOOD, "20980101000000Z", "20990101000000Z");
    let roots = roots(&authority);
    let error = verify(&authority.answer("old", &asked(), ""), MESSAGE, Some(NONCE), &roots).unwrap_err();
    assert!(matches!(error, TimestampError::Expired(_)), "{error:?}");
    let error = verify(&authority.answer("new", &asked(), ""), MESSAGE, Some(NONCE), &roots).unwrap_err();
    assert!(matches!(error, TimestampError::NotYetValid(_)), "{error:?}");
}

#[test]
fn a_certificate_for_another_purpose_is_named() {
    let authority = Authority::new();
    authority.certify("tsa", P256, GOOD);
    let response = authority.answer("tsa", &asked(), "");
    let roots = roots(&authority);
    let cases = [
        ("none", "basicConstraints = CA:FALSE", "does not say that it is for timestamping"),
        ("web", "extendedKeyUsage = critical, serverAuth", "other purposes than"),
        ("two", "extendedKeyUsage = critical, timeStamping, serverAuth", "other purposes besides"),
        ("lax", "extendedKeyUsage = timeStamping", "not marked critical"),
        (
            "key",
            "extendedKeyUsage = critical, timeStamping\nkeyUsage = keyEncipherment",
            "not for signatures",
        ),
        (
            "ca",
            "extendedKeyUsage = critical, timeStamping\nbasicConstraints = critical, CA:TRUE",
            "signs certificates",
        ),
    ];
    for (name, extensions, expected) in cases {
        authority.certify(name, P256, &format!("{extensions}\n"));
        let response = authority.sign_anew(name, &response, "");
        let error = verify(&response, MESSAGE, Some(NONCE), &roots).unwrap_err();
        let is_right = matches!(error, TimestampError::NotAnAuthority(what) if what.contains(expected));
        assert!(is_right, "{name}: {error:?}");
    }
}

#[test]
fn weak_or_unknown_algorithms_are_named() {
    let authority = Authority::new();
    authority.certify("tsa", P521, GOOD);
    let roots = roots(&authority);
    let response = authority.answer("tsa", &asked(), "");
    let error = verify(&response, MESSAGE, Some(NONCE), &roots).unwrap_err();
    assert!(matches!(error, TimestampError::Unsupported(_)), "P-521: {error:?}");
    authority.certify("rsa", RSA, GOOD);
    let response = authority.answer("rsa", &asked(), "signer_digest = sha1");
    let error = verify(&response, MESSAGE, Some(NONCE), &roots).unwrap_err();
    assert!(matches!(error, TimestampError::Unsupported(_)), "SHA-1: {error:?}");
}

#[test]
fn a_refusal_is_told_in_the_authoritys_words() {
    let authority = Authority::new();
    authority.certify("tsa", P256, GOOD);
    let asked = request(MESSAGE, NONCE, Some("1.2.3.4.9")).unwrap();
    let error = verify(&authority.answer("tsa", &asked, ""), MESSAGE, Some(NONCE), &roots(&authority));
    let Err(TimestampError::Refused(why)) = error else { panic!("{error:?}") };
    assert!(why.contains("status 2") && why.contains("it does not have the policy"), "{why}");
    let asked = request(MESSAGE, NONCE, Some("1.2.3.4.5")).unwrap();
    let response = authority.answer("tsa", &asked, "");
    assert_eq!(verify(&response, MESSAGE, Some(NONCE), &roots(&authority)).unwrap().policy, "1.2.3.4.5");
    request(MESSAGE, NONCE, Some("mine")).unwrap_err();
}

/// Every byte of a response, changed: either it is not believed, or what was changed says nothing.
#[test]
fn a_changed_byte_is_noticed() {
    let authority = Authority::new();
    authority.certify("tsa", P256, GOOD);
    let response = authority.answer("tsa", &asked(), "ess_cert_id_alg = sha256");
    let roots = roots(&authority);
    let good = verify(&response, MESSAGE, Some(NONCE), &roots).unwrap();
    let mut harmless = Vec::new();
    for at in 0..response.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = response.clone();
            changed[at] ^= change;
            if let Ok(stamp) = verify(&changed, MESSAGE, Some(NONCE), &roots) {
                assert_eq!(stamp, good, "byte {at} changed what is believed");
                harmless.push((at, changed[at]));
            }
        }
    }
    // Granted and granted with modifications are both; versions and the list of digests repeat what stands elsewhere.
    harmless.dedup_by_key(|(at, _)| *at);
    assert!(harmless.len() <= 20, "{harmless:?}");
}

/// `openssl ts` of this version does not sign with Ed25519 (RFC 8419), so the token is put together here.
#[test]
fn ed25519_is_believed() {
    let authority = Authority::new();
    authority.certify("tsa", P256, GOOD);
    let response = authority.answer("tsa", &asked(), "");
    authority.sign_anew("tsa", &response, "");
    let content = authority.read("content");
    authority.certify("ed", "-algorithm ED25519", GOOD);
    authority.openssl("x509 -in ed.pem -outform DER -out ed.der");
    let certificate = authority.read("ed.der");
    let parsed = Certificate::from_der(&certificate).unwrap().tbs_certificate;

    let sha256 = digest::digest(&digest::SHA256, &certificate);
    let sha512 = digest::digest(&digest::SHA512, &content);
    let oid = |text: &str| text.parse::<ObjectIdentifier>().unwrap().to_der().unwrap();
    let tst_info = oid("1.2.840.113549.1.9.16.1.4");
    let binding = tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(4, &[sha256.as_ref()])])])]);
    let attribute = |name: &str, value: &[u8]| tlv(0x30, &[&oid(name), &tlv(0x31, &[value])]);
    let attributes = [
        attribute("1.2.840.113549.1.9.3", &tst_info),
        attribute("1.2.840.113549.1.9.4", &tlv(4, &[sha512.as_ref()])),
        attribute("1.2.840.113549.1.9.16.2.47", &binding),
    ]
    .concat();
    authority.write("attributes", &tlv(0x31, &[&attributes]));
    authority.openssl("pkeyutl -sign -rawin -inkey ed.key -in attributes -out signature");
    let token = |signature: &[u8]| {
        let digest = tlv(0x30, &[&oid("2.16.840.1.101.3.4.2.3")]);
        let issuer = parsed.issuer.to_der().unwrap();
        let id = tlv(0x30, &[&issuer, &parsed.serial_number.to_der().unwrap()]);
        let algorithm = tlv(0x30, &[&oid("1.3.101.112")]);
        let version = tlv(2, &[&[1]]);
        let attributes = tlv(0xa0, &[&attributes]);
        let signer = tlv(0x30, &[&version, &id, &digest, &attributes, &algorithm, &tlv(4, &[signature])]);
        let content = tlv(0x30, &[&tst_info, &tlv(0xa0, &[&tlv(4, &[&content])])]);
        let sets =
            [tlv(0x31, &[&digest]), content, tlv(0xa0, &[&certificate]), tlv(0x31, &[&signer])].concat();
        let data = tlv(0x30, &[&tlv(2, &[&[3]]), &sets]);
        let token = tlv(0x30, &[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&data])]);
        tlv(0x30, &[&tlv(0x30, &[&tlv(2, &[&[0]])]), &token])
    };
    let mut signature = authority.read("signature");
    let stamp = verify(&token(&signature), MESSAGE, Some(NONCE), &roots(&authority)).unwrap();
    assert_eq!(stamp.authority, "CN=ed,O=Tests");
    signature[7] ^= 1;
    let error = verify(&token(&signature), MESSAGE, Some(NONCE), &roots(&authority));
    assert_eq!(error, Err(TimestampError::Signature));
}

/// One element of DER.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = match u16::try_from(body.len()).unwrap() {
        short @ 0..0x80 => vec![short as u8],
        middle @ 0x80..0x100 => vec![0x81, middle as u8],
        long => [&[0x82], long.to_be_bytes().as_slice()].concat(),
    };
    [&[tag], length.as_slice(), &body].concat()
}
