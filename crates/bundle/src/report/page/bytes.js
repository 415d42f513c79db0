// Bytes and their spellings. Every reader here is strict: a value has one spelling, any other is refused.

const encoder = new TextEncoder();
const utf8 = (text) => encoder.encode(text);

/** The text of UTF-8 bytes (RFC 3629); throws if they are none. A byte order mark is a character like any other. */
const textOf = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const isHex = (text, bytes) => typeof text === "string" && text.length === 2 * bytes && /^[0-9a-f]*$/.test(text);

function fromHex(text) {
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

const BASE64_CHUNK_BYTES = 0x8000;

/** Standard base64 with padding (RFC 4648, section 4). */
function base64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += BASE64_CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(at, at + BASE64_CHUNK_BYTES));
  }
  return btoa(binary);
}

/** The bytes of standard base64; null where the spelling is not the one of these bytes. */
function fromBase64(text) {
  if (typeof text !== "string" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  // Unused bits must be zero.
  const tail = Math.max(0, bytes.length - 3);
  return base64(bytes.subarray(tail - (tail % 3))) === text.slice((tail - (tail % 3)) / 3 * 4) ? bytes : null;
}

function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const sameBytes = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** An ASCII decimal without sign or leading zero, as a number that is exact; null otherwise. */
function decimal(text) {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : null;
}
