// The tree: RFC 6962, section 2.1, with proofs checked as RFC 9162, section 2.1.3.2, writes it out.

/** Nodes whose hashes are remembered: proofs of neighbours share most of their way. */
const NODES_MAX = 100_000;
const nodes = new Map();

const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));

async function nodeHash(left, right) {
  const message = concat(Uint8Array.of(1), left, right);
  const name = String.fromCharCode(...message);
  const known = nodes.get(name);
  if (known !== undefined) return known;
  const hash = sha256(message);
  if (nodes.size >= NODES_MAX) nodes.clear();
  nodes.set(name, hash);
  return hash;
}

/** Whether the proof leads from the leaf at this index to the root of a tree of this size. */
async function isIncluded(index, size, leaf, proof, root) {
  if (index >= size) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = await nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && sameBytes(hash, root);
}
