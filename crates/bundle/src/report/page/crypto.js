// Cryptography: the browser's own (WebCrypto), nothing written here.

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** HKDF-SHA256 without salt, 32 bytes (RFC 5869). */
async function hkdf(key, info) {
  const imported = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(how, imported, 256));
}

/** HMAC-SHA256 (RFC 2104). */
async function hmac(key, message) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}

/** What binds content to an entry: docs/format.md, section 5. */
const commitment = async (dataKey, content) => hmac(await hkdf(dataKey, "inferlog/commit/v1"), content);

/** Whether an Ed25519 signature is good (RFC 8032, section 5.1.7). Where the key is none, or the browser knows no such key, it is not. */
async function ed25519(publicKey, signature, message) {
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
  } catch {
    return false;
  }
}

/** Whether this browser verifies Ed25519: RFC 8032, section 7.1, test 2, and the same with one bit changed. */
async function hasEd25519() {
  const key = fromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const signature = fromHex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  );
  return (await ed25519(key, signature, Uint8Array.of(0x72))) && !(await ed25519(key, signature, Uint8Array.of(0x73)));
}
