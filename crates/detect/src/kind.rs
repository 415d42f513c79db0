//! What is looked for.

/// What a detector looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// E-mail addresses (RFC 5321, section 4.1.2, as people write them).
    Email,
    /// Telephone numbers: international (E.164) with `+`, and national ones as they are written in these countries (ISO 3166-1).
    Phone(Vec<String>),
    /// IBANs whose check digits hold (ISO 13616, ISO 7064).
    Iban,
    /// Payment cards whose check digit holds (ISO/IEC 7812, Luhn).
    Card,
    /// IPv4 and IPv6 addresses.
    Ip,
    /// These names, whole words, in any case.
    Names(Vec<String>),
    /// National identification numbers of these countries (ISO 3166-1), with their check digits where they have such.
    National(Vec<String>),
    /// What this regular expression finds (RE2 syntax).
    Pattern(String),
}
