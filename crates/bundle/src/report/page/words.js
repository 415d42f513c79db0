// What kinds, roles, reasons, times and amounts are called.

const KINDS = {
  "decision.opened": "Request", "decision.joined": "Further request", "decision.closed": "End", context: "Context added",
  inference: "Model call", retrieval: "Retrieval", tool_call: "Tool call", transform: "Processing", reasoning: "Reasoning",
  output: "Output", delivery: "Delivery", human: "Human action", label: "Label", "biometric.match": "Biometric match",
  "system.changed": "Change of the system", "recorder.started": "Recorder started", "recorder.stopped": "Recorder stopped",
  "session.started": "Session began", "session.ended": "Session ended", incident: "Incident", "hold.placed": "Hold placed",
  "hold.released": "Hold released", erasure: "Erasure", purge: "Purge", gap: "Gap", sampling: "Sampling policy",
  clock: "State of the clock", access: "Access", drill: "Drill", alert: "Alarm",
};

const ROLES = {
  "input.raw": "Input as it came", "input.enriched": "Enriched input", "input.assembled": "What the model was sent",
  "params.requested": "Parameters as asked for", "params.effective": "Parameters in effect", prompt: "Prompt", tools: "Tools offered",
  "output.raw": "Answer of the model", "output.part": "Piece passed on", "output.processed": "Answer after processing",
  "output.final": "What the user was shown", explanation: "Explanation", external_ids: "Identifiers of others", headers: "Headers",
  unlisted: "Texts behind “unlisted”", error: "Error", "retrieval.query": "Query", "retrieval.document": "Document",
  "tool.arguments": "Arguments", "tool.result": "Result", "transform.in": "What went in", "transform.out": "What came out",
  reasoning: "Reasoning", "human.before": "Before", "human.after": "After", "human.reason": "Reason", "label.value": "Value",
  order: "Order", certificate: "Certificate", split: "Taken out, to stand alone", "sampling.acceptance": "By what a sample is accepted", "access.query": "Query", report: "Report", "incident.report": "Report",
  "system.old": "Before", "system.new": "After", "biometric.input": "Input of the match", "biometric.record": "Record that matched",
};

const REASONS = {
  over_limit: "larger than the limit on what is captured", not_text: "not text, where only text is captured",
  disabled_by_policy: "capture of this content is switched off", redacted_by_policy: "a redaction rule leaves it out",
  not_sampled: "not selected by the sampling policy in force", not_visible: "it cannot be seen from where it was captured",
  not_provided: "the application attached none", client_aborted: "the client left before it was whole",
  upstream_aborted: "the upstream left before it was whole", timed_out: "time ran out before it was whole",
  not_parsed: "the bytes could not be understood", not_stored: "there was no room, or no way, to store it", unknown: "nobody can say",
};

const spaced = (text) => String(text).replaceAll("_", " ");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const named = (names, key) => (Object.hasOwn(names, key) ? names[key] : String(key));

/** How an outcome or result stands. */
function tone(outcome) {
  if (["ok", "answered", "passed", "complete"].includes(outcome)) return "good";
  if (["failed", "gap"].includes(outcome)) return "bad";
  return ["refused", "aborted", "interrupted", "incomplete", "partial", undefined].includes(outcome) ? "caution" : "plain";
}

/** `1,412`. */
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

/** `1 entry`, `1,412 entries`. */
function counted(number, what) {
  const many = what.endsWith("ry") ? `${what.slice(0, -1)}ies` : what.endsWith("h") ? `${what}es` : `${what}s`;
  return `${grouped(number)} ${number === 1 ? what : many}`;
}

/** `812 bytes`, `65.5 kB`, `2.5 MB`. */
function amount(bytes) {
  if (bytes < 10_000) return counted(bytes, "byte");
  const [unit, name] = bytes < 1_000_000 ? [1_000, "kB"] : [1_000_000, "MB"];
  return `${(Math.floor((bytes * 10) / unit) / 10).toFixed(1)} ${name}`;
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/;

/** `22 November 2026, 06:43:12.002 UTC`; as it is where it is no time. */
function moment(text) {
  const [, year, month, day, time, fraction = ""] = TIME.exec(text) ?? [];
  const name = MONTHS[Number(month) - 1];
  return name === undefined ? String(text) : `${Number(day)} ${name} ${year}, ${time}${fraction.slice(0, 4)} UTC`;
}

/** Nanoseconds since 1970, exact; null where it is no time. */
function nanoseconds(text) {
  const [, , , , , fraction = ""] = TIME.exec(text ?? "") ?? [null];
  const millis = Date.parse(String(text).replace(/\.\d+Z$/, "Z"));
  return Number.isNaN(millis) || !TIME.test(text) ? null : BigInt(millis) * 1_000_000n + BigInt(fraction.slice(1, 10).padEnd(9, "0"));
}

/** A time that passed: `38 ms`, `1.3 s`, `2 min 5 s`, `21 days`. */
function lasted(ns) {
  const [ms, s] = [Number(ns) / 1e6, Number(ns) / 1e9];
  const two = (unit, name, smaller, rest) => `${Math.floor(s / unit)} ${name}${Math.floor((s % unit) / smaller) > 0 ? ` ${Math.floor((s % unit) / smaller)} ${rest}` : ""}`;
  if (ms < 1) return `${Math.floor(Number(ns) / 1_000)} µs`;
  if (s < 1) return `${Math.floor(ms)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3_600) return two(60, "min", 1, "s");
  if (s < 86_400) return two(3_600, "h", 60, "min");
  return s < 3 * 86_400 ? two(86_400, s < 2 * 86_400 ? "day" : "days", 3_600, "h") : `${Math.floor(s / 86_400)} days`;
}

/** Why content is not there, or not shown. */
function absence({ state, reason }) {
  if (state === "present") return "Committed, not disclosed";
  const [, by, event] = /^(erased_by_order|purged_by_policy):(.*)$/.exec(reason ?? "") ?? [];
  if (by === "erased_by_order") return `Erased: its key was destroyed by the order of event ${event}`;
  if (by === "purged_by_policy") return `Removed under the retention policy, by event ${event}`;
  return `${capital(spaced(state))}: ${reason === undefined ? "no reason is recorded" : named(REASONS, reason)}`;
}

/** JSON with lines and indents. Only space between tokens is added or left out: what it says stays as it was recorded. */
function indented(json) {
  const [out, open] = [[], "{["];
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, 40))}`;
  for (const token of json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? []) {
    if (token === "}" || token === "]") depth -= 1;
    const wasOpen = out.length > 0 && open.includes(out.at(-1).at(-1));
    if ((token === "}" || token === "]") && !wasOpen) out.push(line());
    else if (wasOpen && token !== "}" && token !== "]") out.push(line());
    if (open.includes(token)) depth += 1;
    out.push(token === ":" ? ": " : token);
    if (token === ",") out.push(line());
  }
  return out.join("");
}
