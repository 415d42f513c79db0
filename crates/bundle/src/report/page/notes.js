// Signed notes, verifier keys and checkpoints: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.

const NOTE_BYTES_MAX = 1 << 20;
const NOTE_SIGNATURES_MAX = 100;

/** Signature types: over the text; over a time and the text (a witness's). */
const ED25519 = 0x01;
const COSIGNATURE = 0x04;

const hasControls = (text) => /[\u0000-\u001f]/.test(text);
const isKeyName = (name) => name !== "" && !hasControls(name) && !/[\s\u0085+]/u.test(name);

/** The id of a key: the first four bytes of SHA-256(name, newline, type, key), hexadecimal. */
async function keyId(name, type, publicKey) {
  return hex((await sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey))).subarray(0, 4));
}

/** Reads `<name>+<key id>+<base64 of type and key>`; throws with what is wrong. */
async function parseVkey(text) {
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-fA-F]{8})\+(.*)$/s.exec(text) ?? [];
  const bytes = encoded === undefined ? null : fromBase64(encoded);
  if (bytes === null || !isKeyName(name)) throw new Error("not a verifier key: expected NAME+KEYID+BASE64, in one line");
  const [type, publicKey] = [bytes[0], bytes.subarray(1)];
  if (type !== ED25519 && type !== COSIGNATURE) throw new Error(`the key of ${name} signs in a way that this page does not know`);
  if (publicKey.length !== 32) throw new Error(`the key of ${name} is not an Ed25519 key of 32 bytes`);
  if ((await keyId(name, type, publicKey)) !== id.toLowerCase()) throw new Error(`the key of ${name} was altered or mistyped: its id does not belong to it`);
  return { name, id: id.toLowerCase(), type, publicKey, text };
}

/** Reads a signed note into its text and signature lines; throws with what is wrong. */
function parseNote(bytes) {
  if (bytes.length > NOTE_BYTES_MAX) throw new Error("the note is too long");
  const note = textOf(bytes);
  // The text may hold blank lines, signatures do not.
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0 || !note.endsWith("\n")) throw new Error("the note has no signatures after a blank line");
  const text = note.slice(0, blank + 1);
  if (text.split("\n").some(hasControls)) throw new Error("the note holds control characters");
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > NOTE_SIGNATURES_MAX) throw new Error("the note has too many signatures");
  const signatures = lines.map((line, at) => {
    const [, name, encoded] = /^\u2014 ([^ ]*) ([^ ]*)$/.exec(line) ?? [];
    const signed = encoded === undefined ? null : fromBase64(encoded);
    if (signed === null || signed.length < 5 || !isKeyName(name)) throw new Error(`signature line ${at + 1} of the note is not one`);
    return { name, id: hex(signed.subarray(0, 4)), bytes: signed.subarray(4) };
  });
  return { text, signatures };
}

/** Holds a note's signatures against keys: those that are good, and those that claim one of the keys and are not its. */
async function verifyNote(note, keys) {
  const [good, bad] = [[], []];
  for (const signature of note.signatures) {
    const key = keys.find((key) => key.name === signature.name && key.id === signature.id);
    if (key === undefined) continue;
    const checked = await verifySignature(key, signature.bytes, note.text);
    (checked === null ? bad : good).push({ key, time: checked?.time });
  }
  return { good, bad };
}

async function verifySignature(key, bytes, text) {
  if (key.type === ED25519) {
    return bytes.length === 64 && (await ed25519(key.publicKey, bytes, utf8(text))) ? {} : null;
  }
  // c2sp.org/tlog-cosignature: eight bytes of time, then the signature.
  if (bytes.length !== 72) return null;
  const time = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  const message = utf8(`cosignature/v1\ntime ${time}\n${text}`);
  return time < 1n << 63n && (await ed25519(key.publicKey, bytes.subarray(8), message)) ? { time } : null;
}

/** Reads the text of a checkpoint: origin, size, root, extension lines; throws with what is wrong. */
function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length < 3 || lines.some((line) => line === "")) throw new Error("a checkpoint is at least three lines: origin, size, root hash");
  const [size, root] = [decimal(lines[1]), fromBase64(lines[2])];
  if (size === null) throw new Error("the checkpoint's size is not a number that this page can count to");
  if (root === null || root.length !== 32) throw new Error("the checkpoint's root is not the base64 of 32 bytes");
  return { origin: lines[0], size, root };
}
