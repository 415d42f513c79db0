// A reader of ZIP files (APPNOTE 6.3), slice by slice: no more of the file is in memory than the member that is read.
// What it reads is believed only where SHA256SUMS agrees, so nothing is gained by a ZIP file that is cleverly wrong.

const ZIP_MEMBERS_MAX = 1_000_000;
const ZIP_DIRECTORY_BYTES_MAX = 256 << 20;
/** The largest file of a bundle that is read, bytes, unpacked. */
const FILE_BYTES_MAX = 256 << 20;
const NAME = /^[A-Za-z0-9._/-]+$/;

const isPath = (name) => NAME.test(name) && name.split("/").every((part) => part !== "" && part !== "." && part !== "..");

const slice = async (blob, from, to) => new Uint8Array(await blob.slice(from, to).arrayBuffer());
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A number of 64 bits, little-endian, that is exact. */
function number64(data, at) {
  const number = Number(data.getBigUint64(at, true));
  if (!Number.isSafeInteger(number)) throw new Error("a number in the ZIP file is too large");
  return number;
}

/** Where the central directory is, and how many members it lists (APPNOTE 4.3.14 to 4.3.16). */
async function findDirectory(blob) {
  const from = Math.max(0, blob.size - 65_557);
  const tail = await slice(blob, from, blob.size);
  const data = view(tail);
  let end = tail.length - 22;
  while (end >= 0 && !(data.getUint32(end, true) === 0x06054b50 && end + 22 + data.getUint16(end + 20, true) === tail.length)) end -= 1;
  if (end < 0) throw new Error("this is not a ZIP file, or it ends early");
  let place = { count: data.getUint16(end + 10, true), length: data.getUint32(end + 12, true), offset: data.getUint32(end + 16, true) };
  const isLarge = place.count === 0xffff || place.length === 0xffffffff || place.offset === 0xffffffff;
  if (isLarge && end >= 20 && data.getUint32(end - 20, true) === 0x07064b50) {
    const at = number64(data, end - 12);
    const large = view(await slice(blob, at, at + 56));
    if (large.byteLength < 56 || large.getUint32(0, true) !== 0x06064b50) throw new Error("the ZIP file's end is damaged");
    place = { count: number64(large, 32), length: number64(large, 40), offset: number64(large, 48) };
  }
  if (place.count > ZIP_MEMBERS_MAX || place.length > ZIP_DIRECTORY_BYTES_MAX || place.offset + place.length > blob.size) throw new Error("the ZIP file's directory is damaged or too large");
  return place;
}

/** Sizes and offset that did not fit 32 bits (APPNOTE 4.5.3). */
function widen(member, extra) {
  const data = view(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + data.getUint16(at + 2, true)) {
    if (data.getUint16(at, true) !== 0x0001) continue;
    let next = at + 4;
    for (const field of ["size", "packed", "offset"]) {
      if (member[field] !== 0xffffffff) continue;
      member[field] = number64(data, next);
      next += 8;
    }
  }
}

/** Members by name (APPNOTE 4.3.12). */
function readDirectory(bytes, count) {
  const [data, members] = [view(bytes), new Map()];
  let at = 0;
  for (let number = 0; number < count; number += 1) {
    if (at + 46 > bytes.length || data.getUint32(at, true) !== 0x02014b50) throw new Error("the ZIP file's directory is damaged");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => data.getUint16(at + field, true));
    const name = textOf(bytes.subarray(at + 46, at + 46 + nameLength));
    const member = {
      flags: data.getUint16(at + 8, true),
      method: data.getUint16(at + 10, true),
      packed: data.getUint32(at + 20, true),
      size: data.getUint32(at + 24, true),
      offset: data.getUint32(at + 42, true),
    };
    widen(member, bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    at += 46 + nameLength + extraLength + commentLength;
    // Other tools list folders as well.
    if (name.endsWith("/") && member.size === 0) continue;
    if (!isPath(name)) throw new Error(`the ZIP file holds ${JSON.stringify(name)}, which is no name of a file in a bundle`);
    if (members.has(name)) throw new Error(`the ZIP file holds ${name} twice`);
    if (member.flags & 1) throw new Error(`${name} is encrypted`);
    if (member.method !== 0 && member.method !== 8) throw new Error(`${name} is packed in a way that this page does not read`);
    if (member.size > FILE_BYTES_MAX) throw new Error(`${name} is larger than this page reads`);
    members.set(name, member);
  }
  if (at !== bytes.length) throw new Error("the ZIP file's directory holds more than it counts");
  return members;
}

/** The bytes of one member. */
async function readMember(blob, name, member) {
  const { offset, packed, size, method } = member;
  const guess = 30 + name.length + 256;
  let bytes = await slice(blob, offset, offset + guess + packed);
  if (bytes.length < 30 || view(bytes).getUint32(0, true) !== 0x04034b50) throw new Error("the ZIP file is damaged at this file");
  if (!sameBytes(bytes.subarray(30, 30 + view(bytes).getUint16(26, true)), utf8(name))) throw new Error("the ZIP file calls it by two names");
  const start = 30 + view(bytes).getUint16(26, true) + view(bytes).getUint16(28, true);
  if (start > guess) bytes = await slice(blob, offset, offset + start + packed);
  bytes = bytes.subarray(start, start + packed);
  if (bytes.length !== packed) throw new Error("the ZIP file ends early at this file");
  return method === 0 ? bytes : inflate(bytes, size);
}

/** Raw deflate (RFC 1951), and never more than the directory promised. */
async function inflate(packed, size) {
  const out = new Uint8Array(size);
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) {
      await reader.cancel();
      throw new Error("it unpacks to more than the ZIP file says");
    }
    out.set(value, at);
    at += value.length;
  }
  if (at !== size) throw new Error("it unpacks to less than the ZIP file says");
  return out;
}

/** A bundle's files in a ZIP file that the reader chose. */
async function zipSource(blob) {
  const place = await findDirectory(blob);
  const members = readDirectory(await slice(blob, place.offset, place.offset + place.length), place.count);
  const read = async (path) => (members.has(path) ? readMember(blob, path, members.get(path)) : null);
  return { paths: [...members.keys()].sort(), read, whole: true, zip: true };
}

/** A bundle's files as they lie in this page. */
function pageSource() {
  const { files, whole } = JSON.parse(document.getElementById("bundle").textContent);
  const read = async (path) => {
    if (!Object.hasOwn(files, path)) return null;
    const file = files[path];
    return typeof file === "string" ? utf8(file) : fromBase64(file.base64);
  };
  return { paths: Object.keys(files).sort(), read, whole, zip: false };
}
