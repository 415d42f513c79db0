// The files of a bundle and what stands in them: docs/bundle.md. Whatever is not of the given form is refused.

const SUMS = "SHA256SUMS";
const MANIFEST = "manifest";
const FACTS = "bundle.json";
const SUMMARIES = "decisions.json";
const COVERAGE = "coverage.json";
const REPORT = "report.html";
const REPORT_NOTE = "report.note";
/** Files that SHA256SUMS does not list: they vouch for it, or are made from what it lists. */
const UNLISTED = [SUMS, MANIFEST, REPORT, REPORT_NOTE];
/** Files that every bundle has, besides those of its logs and decisions. */
const REQUIRED = ["README.txt", "docs/bundle.md", "docs/format.md", "verify.py"];
const BUNDLE_FORMAT = 1;
const ENTRY_BYTES_MAX = 65_535;

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Forms of values: each says whether a value has it. */
const text = (value) => typeof value === "string";
const count = (value) => Number.isSafeInteger(value) && value >= 0;
const id = (value) => text(value) && ID.test(value);
const flag = (value) => typeof value === "boolean";
const digest = (value) => isHex(value, 32);
const hash = (value) => text(value) && fromBase64(value)?.length === 32;
const list = (form) => (value) => Array.isArray(value) && value.every(form);
const optional = (form) => Object.assign((value) => value === undefined || form(value), { optional: true });

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** An object with these members and no other. */
const object = (members) => (value) =>
  isObject(value) &&
  Object.keys(value).every((name) => Object.hasOwn(members, name)) &&
  Object.entries(members).every(([name, form]) => form(Object.hasOwn(value, name) ? value[name] : undefined));

const FORMS = {
  facts: object({
    build: text,
    decisions: count,
    disclosure: object({ classes: list(text), roles: list(text), sealed: flag }),
    format: (value) => value === BUNDLE_FORMAT,
    logs: list(object({ origin: text, root: hash, size: count, timestamps: count })),
  }),
  summaries: object({
    decisions: list(object({ disclosed: count, entries: count, id, logged_at: text, outcome: optional(text), payloads: count, system: text })),
  }),
  entries: object({
    decision: optional(id),
    entries: list(object({ entry: text, index: count, log: count, proof: list(hash) })),
  }),
  disclosed: object({
    decision: optional(id),
    openings: list(object({ base64: optional(text), data_key: digest, payload: id, text: optional(text) })),
  }),
  sealed: object({ decision: id, sealed: list(object({ base64: text, payload: id })) }),
};

/**
 * Reads JSON that has one spelling: compact, no member twice, numbers that are exact. So printing what was read gives what
 * was there, and nothing can hide in it.
 */
function readJson(text, end = "\n") {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  if (JSON.stringify(value) + end !== text) throw new Error("it is not JSON in its one spelling: compact, no member twice, every number exact");
  return value;
}

/** Reads one of the bundle's JSON files; throws with what is wrong. */
function readFile(bytes, form) {
  const value = readJson(textOf(bytes));
  if (!FORMS[form](value)) throw new Error("a member is missing, unknown or of the wrong form");
  return value;
}

/** Reads SHA256SUMS: digests by path; throws with what is wrong. */
function readSums(bytes) {
  const lines = textOf(bytes).split("\n");
  if (lines.pop() !== "") throw new Error("its last line has no end");
  const sums = new Map();
  let last = "";
  for (const [at, line] of lines.entries()) {
    const [, sum, path] = /^([0-9a-f]{64})  ([^ ]+)$/.exec(line) ?? [];
    if (path === undefined || !isPath(path)) throw new Error(`line ${at + 1} is not a digest, two spaces and a path`);
    if (path <= last) throw new Error(`line ${at + 1} is out of order or there twice`);
    if (UNLISTED.includes(path)) throw new Error(`line ${at + 1} lists ${path}, which is not to be listed`);
    sums.set(path, sum);
    last = path;
  }
  return sums;
}

/** Reads an entry of the log (docs/format.md, section 4); throws with what is wrong. */
function readEntry(text) {
  if (utf8(text).length > ENTRY_BYTES_MAX) throw new Error("it is longer than an entry can be");
  const entry = readJson(text, "");
  const { decision, events, of = 1, part = 1, v } = entry;
  if (v !== 1) throw new Error("it is of a version that this page does not know");
  if (decision !== undefined && !id(decision)) throw new Error("its decision is no id");
  if (!count(of) || !count(part) || part < 1 || part > of) throw new Error("its part is none");
  if (!Array.isArray(events) || events.length === 0 || !events.every(isEvent)) throw new Error("its events are none");
  return { decision, events, of, part };
}

/** What every event has. What else it says is shown as it stands. */
const isEvent = (event) =>
  isObject(event) && id(event.id) && [event.kind, event.logged_at, event.system].every(text) &&
  (event.body === undefined || isObject(event.body)) && [event.after, event.subjects].every(optional(list(text))) &&
  ["keys", "subjects"].every((name) => optional(list(text))(event.body?.[name])) &&
  (event.payloads === undefined || (Array.isArray(event.payloads) && event.payloads.every(isReference)));

const isReference = (reference) =>
  isObject(reference) && id(reference.payload) && text(reference.role) && text(reference.state);

/** Which file a path is, and of what. */
function kindOfFile(path) {
  const [, folder, name, rest] = /^([^/]+)\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
  const decision = name?.endsWith(".json") ? name.slice(0, -5) : undefined;
  if (folder === undefined) return ["README.txt", "verify.py", FACTS, SUMMARIES, COVERAGE, ...UNLISTED].includes(path) ? { kind: "single" } : null;
  if (folder === "docs" && rest === undefined) return { kind: "doc" };
  if (folder === "shared" && isHex(name, 32) && rest === undefined) return { kind: "shared", sha256: name };
  if (["decisions", "openings", "sealed"].includes(folder) && id(decision) && rest === undefined) return { kind: folder, decision };
  if (folder !== "logs" || decimal(name) === null || rest === undefined) return null;
  const inLog = ["checkpoint", "keys", "system.json", "openings.json"].includes(rest) || /^timestamps\/(0|[1-9]\d*)\.tsr$/.test(rest);
  return inLog ? { kind: "log", log: decimal(name), rest } : null;
}
