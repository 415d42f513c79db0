// What an RFC 3161 response says: which bytes, and when. A reader of as much DER (X.690) as that takes.
// The authority's signature is not checked here: that needs its certificates, which `inferlog verify --bundle` is given.

const OID = {
  signedData: "1.2.840.113549.1.7.2", // RFC 5652, section 5.1
  timestampInfo: "1.2.840.113549.1.9.16.1.4", // RFC 3161, section 2.4.2
  sha256: "2.16.840.1.101.3.4.2.1", // RFC 5754, section 2.2
};

/** The elements that bytes consist of, each with its tag and content. */
function elements(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    at += 2;
    if ((tag & 0x1f) === 0x1f || length === undefined || length === 0x80 || length > 0x84) throw new Error("not DER");
    if (length > 0x80) {
      const more = length - 0x80;
      length = bytes.subarray(at, at + more).reduce((sum, byte) => sum * 256 + byte, 0);
      at += more;
    }
    if (at + length > bytes.length) throw new Error("DER that ends early");
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

/** The elements inside of the one element of this tag. */
function inside(element, tag) {
  if (element === undefined || element.tag !== tag) throw new Error("not the structure of a timestamp");
  return tag & 0x20 ? elements(element.content) : element.content;
}

function objectId(element) {
  const bytes = inside(element, 0x06);
  const numbers = [Math.min(2, Math.floor(bytes[0] / 40))];
  numbers.push(bytes[0] - 40 * numbers[0]);
  let number = 0;
  for (const byte of bytes.subarray(1)) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  return numbers.join(".");
}

/** `20261122064300Z`, with or without a fraction, as RFC 3339 writes it (RFC 3161, section 2.4.2). */
function generalizedTime(element) {
  const text = textOf(inside(element, 0x18));
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d(?:\.\d+)?)Z$/.exec(text) ?? [];
  if (year === undefined) throw new Error("a time that is not UTC");
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}

const [INTEGER, OCTETS, SEQUENCE, CONTEXT_0] = [0x02, 0x04, 0x30, 0xa0];

/** Reads a response: the digest that it stamps, and its time; throws with what is wrong. */
function parseTimestamp(bytes) {
  const [response, ...rest] = elements(bytes);
  if (rest.length > 0) throw new Error("something follows the response");
  const [status, token] = inside(response, SEQUENCE);
  const granted = inside(inside(status, SEQUENCE)[0], INTEGER);
  if (granted.length !== 1 || granted[0] > 1) throw new Error("the authority did not grant the timestamp");
  const [type, wrapped] = inside(token, SEQUENCE);
  if (objectId(type) !== OID.signedData) throw new Error("not signed data");
  const [, , content] = inside(inside(wrapped, CONTEXT_0)[0], SEQUENCE);
  const [contentType, octets] = inside(content, SEQUENCE);
  if (objectId(contentType) !== OID.timestampInfo) throw new Error("not a timestamp");
  const info = inside(elements(inside(inside(octets, CONTEXT_0)[0], OCTETS))[0], SEQUENCE);
  const [, , imprint, serial, time] = info;
  const [algorithm, digest] = inside(imprint, SEQUENCE);
  if (objectId(inside(algorithm, SEQUENCE)[0]) !== OID.sha256) throw new Error("the imprint is not a SHA-256 digest");
  return { imprint: inside(digest, OCTETS), serial: hex(inside(serial, INTEGER)), time: generalizedTime(time) };
}
