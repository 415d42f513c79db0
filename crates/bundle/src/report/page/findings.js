// What the checks find: faults with their places, notices, and counts of what was looked at.

/** The checks, in the order in which they are told. */
const CHECKS = {
  files: ["Files", "Every file has the SHA-256 that SHA256SUMS lists; none is missing, none is there unlisted."],
  manifest: ["Manifest", "The log’s key signed the SHA-256 of SHA256SUMS."],
  checkpoint: ["Checkpoint", "The log’s key signed its size and root hash: what all proofs lead to."],
  cosignatures: ["Cosignatures", "Witnesses signed the same checkpoint: the log showed others the same history."],
  timestamps: ["Timestamps", "The responses of the timestamp authority are about this checkpoint."],
  entries: ["Entries", "Every entry hashes, by its inclusion proof, to the checkpoint’s root; parts are whole."],
  openings: ["Openings", "Content shown is what its entry committed to when it was recorded."],
  sealed: ["Sealed bytes", "Sealed bytes have the SHA-256 that their entry holds."],
  shared: ["Shared content", "Prompts, tools and documents have the SHA-256 that entries name."],
  summary: ["Summary", "The list of decisions follows from the entries."],
  report: ["Page in the ZIP", "The log’s key signed the SHA-256 of report.html as it lies in the ZIP file."],
};

/** Faults that are kept one by one; the others are counted. */
const FAULTS_MAX = 500;

class Findings {
  constructor() {
    this.faults = [];
    this.more = 0;
    // Decisions with a fault.
    this.failed = new Set();
    this.notices = new Map();
    this.done = {};
    this.skipped = {};
  }

  /** Something is wrong: in which check, in which file, what it means; where in the file, if that can be said. */
  fault(check, file, what, place = {}) {
    this.failed.add(place.decision ?? kindOfFile(file)?.decision);
    if (this.faults.length < FAULTS_MAX) this.faults.push({ check, file, what, place });
    else this.more += 1;
  }

  /** Something to know that is no fault. The same is told once, with how often. */
  notice(what) {
    this.notices.set(what, (this.notices.get(what) ?? 0) + 1);
  }

  /** Something passed a check. */
  pass(check, times = 1) {
    this.done[check] = (this.done[check] ?? 0) + times;
  }

  /** Why a check was not made, or not wholly. */
  skip(check, why) {
    (this.skipped[check] ??= new Set()).add(why);
  }

  /** Findings of both, first the other's. */
  static join(...all) {
    const joined = new Findings();
    for (const findings of all) {
      findings.faults.forEach(({ check, file, what, place }) => joined.fault(check, file, what, place));
      joined.more += findings.more;
      findings.failed.forEach((decision) => joined.failed.add(decision));
      findings.notices.forEach((times, what) => joined.notices.set(what, (joined.notices.get(what) ?? 0) + times));
      Object.entries(findings.done).forEach(([check, times]) => joined.pass(check, times));
      Object.entries(findings.skipped).forEach(([check, whys]) => whys.forEach((why) => joined.skip(check, why)));
    }
    return joined;
  }
}

/** How a check stands: failed, not made (or in part), passed, or without anything to look at. */
function standing(findings, check) {
  if (findings.faults.some((fault) => fault.check === check)) return "bad";
  if (findings.skipped[check] !== undefined) return "caution";
  return findings.done[check] > 0 ? "good" : "plain";
}
