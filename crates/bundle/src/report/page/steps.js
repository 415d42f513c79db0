// Events as the reader sees them: what happened, what it says, the content that may be shown, where it is proved.

/** Characters of content that stand open; of content that stand at all. The whole can be saved. */
const OPEN_CHARS_MAX = 1_200;
const SHOWN_CHARS_MAX = 200_000;
const CAUSES_MAX = 12;

/** Members of an event that are shown elsewhere, or say nothing to a reader. */
const SHOWN_ELSEWHERE = ["payloads", "kind", "after", "parent", "body"];

/** Events in order, each a row with what belongs to it. `whose` makes anchors of several decisions differ. */
function timeline(told, bundle, whose) {
  const ordered = steps(told);
  const numbers = new Map(ordered.map((step) => [step.event.id, step.number]));
  const began = told.decision === undefined ? null : nanoseconds(ordered[0]?.event.started_at ?? ordered[0]?.event.logged_at);
  const of = (id) => (numbers.has(id) ? `#${numbers.get(id)}` : id);
  const link = (id) => el("a", { href: `#step-${whose}-${numbers.get(id)}` }, `#${numbers.get(id)}`);
  const anchors = new Set();
  const rows = ordered.map((step) => row(step, { told, bundle, whose, began, of, numbers, link, anchors }));
  return el("ol.timeline", rows);
}

function row(step, page) {
  const { event, entries, number } = step;
  const end = ending(step);
  const isHuman = event.kind === "human";
  const mark = end === undefined ? null : pill(isHuman ? "human" : tone(end), [spaced(end), event.body?.error].filter(Boolean).map(spaced).join(": "));
  const item = el(
    isHuman ? "li.human" : "li",
    { id: `step-${page.whose}-${number}` },
    el("span.no", `#${number}`),
    el("div.what", el("b", named(KINDS, event.kind)), " ", label(step, page.of), " ", mark, el("div.dim", why(step, page), entries.map((entry) => entryMark(entry, page)))),
    times(event, page.began),
    el("div.more", contents(step, page), fields(event)),
  );
  return item;
}

/** What led to it. */
function why(step, { numbers, link }) {
  const { event } = step;
  const said = (word, ids) => {
    const known = ids.filter((id) => numbers.has(id) && id !== event.id);
    const more = known.length > CAUSES_MAX ? ` and ${known.length - CAUSES_MAX} more` : "";
    return known.length === 0 ? null : [`${word} `, known.slice(0, CAUSES_MAX).map((id) => [link(id), " "]), more, "· "];
  };
  return [said("part of", [event.parent]), said("after", Array.isArray(event.after) ? event.after : [])];
}

/** The entry that holds it, and whether it is proved. */
function entryMark(entry, { anchors, whose }) {
  const anchor = `entry-${whose}-${entry.log}-${entry.index}`;
  const isFirst = !anchors.has(anchor);
  anchors.add(anchor);
  const words = entry.proved ? `entry ${grouped(entry.index)} ✓ in the log` : `entry ${grouped(entry.index)} ✕ not proved`;
  return el(entry.proved ? "span" : "span.wrong", isFirst ? { id: anchor } : {}, words, " ");
}

function times({ started_at: from, ended_at: to, logged_at: logged }, began) {
  const [start, end] = [nanoseconds(from ?? logged), nanoseconds(to)];
  // A system's life has no beginning that times could be counted from.
  if (began === null) return el("div.time", moment(logged));
  const after = start === null ? "" : start < began ? `−${lasted(began - start)}` : start === began ? "0" : `+${lasted(start - began)}`;
  const took = from !== undefined && end !== null && start !== null && end > start ? lasted(end - start) : "";
  return el("div.time", { title: moment(logged) }, el("span", after), took === "" ? null : el("span", `took ${took}`));
}

/** Payloads: content where it was disclosed and holds, else why it is not here. */
function contents({ payloads }, page) {
  const opened = payloads.filter((reference) => contentOf(reference, page) !== null);
  const closed = payloads.filter((reference) => contentOf(reference, page) === null);
  return [opened.map((reference) => figure(reference, page)), closed.length === 0 ? null : el("ul.absent", closed.map((reference) => absent(reference, page)))];
}

/** Content that was checked: opened by its commitment, or shared under its SHA-256. */
function contentOf({ payload, sha256: shared, state }, { told, bundle }) {
  if (state !== "present") return null;
  return told.contents.get(payload) ?? (shared === undefined ? undefined : bundle.shared?.get(shared)) ?? null;
}

/** An anchor for the first mention of a payload. */
function anchorOf(payload, { anchors, whose }) {
  const id = `payload-${whose}-${payload}`;
  if (anchors.has(id)) return {};
  anchors.add(id);
  return { id };
}

function figure(reference, page) {
  const { first, media_type: type, payload, role, sha256: shared } = reference;
  const content = contentOf(reference, page);
  if (first !== undefined && page.numbers.has(first)) {
    return el("p.same", anchorOf(payload, page), el("b", named(ROLES, role)), " — the same content as in ", page.link(first));
  }
  const source = shared === undefined ? "holds against its commitment" : "has the SHA-256 that the entry names";
  const caption = el("figcaption", el("b", named(ROLES, role)), " ", pill("good", source), el("span.dim", ` ${amount(content.bytes.length)}${type === undefined ? "" : `, ${type}`} `), saveLink(content, payload));
  return el("figure", anchorOf(payload, page), caption, shown(content, type));
}

/** A reference without content: one line that says why. */
function absent(reference, page) {
  const { first, payload, role } = reference;
  const held = heldBy(reference, page);
  const erasure = reference.state === "present" && held !== undefined ? erasureOf(page.bundle, held) : null;
  const purge = erasure === null && reference.state === "present" && held !== undefined && !page.told.contents.has(payload) ? purgeOf(page.bundle, page.told, held) : null;
  const isCompleted = erasure !== null && page.bundle.erasures.some(({ body, intent }) => intent === erasure.intent && body.phase === "completed");
  const isRefused = page.told.refused.has(payload);
  const removed = (what, by, more) => [what, linkTo({ system: by.log, log: by.log, index: by.index }, by.event), more];
  const why = isRefused ? el("span.wrong", "✕ Content was given out that does not hold: it is not shown") : erasure !== null ? removed("⊘ Erased afterwards: the key was destroyed under the erasure event ", erasure, isCompleted ? null : "; announced, and not completed as far as this bundle says") : purge !== null ? removed("⊖ Purged afterwards: its time was over, says the purge event ", purge, null) : absence(reference);
  const details = held === undefined ? null : el("div.dim", code(`commitment ${held.reference.commitment ?? held.reference.sha256}`), page.told.sealed.has(payload) ? ", sealed bytes are in the bundle" : null);
  const again = first !== undefined && page.numbers.has(first) ? [", the same content as in ", page.link(first)] : null;
  return el("li", anchorOf(payload, page), el("b", named(ROLES, role)), " — ", why, again, again === null ? details : null);
}

/** The reference that commits to a payload. */
const heldBy = ({ payload }, { told }) => references(told).find(({ reference }) => reference.payload === payload && isCommitted(reference));

/** Text as it is; JSON with lines; other bytes by their length. */
function shown({ bytes, text: known }, type) {
  let text = known;
  try {
    text ??= textOf(bytes);
  } catch {
    return el("p.dim", `${amount(bytes.length)} that are no text: save them to look at them.`);
  }
  let pretty = text;
  if (type === "application/json") {
    try {
      JSON.parse(text);
      pretty = indented(text);
    } catch {
      // Shown as it came.
    }
  }
  const cut = pretty.length > SHOWN_CHARS_MAX ? [el("p.dim", `The first ${grouped(SHOWN_CHARS_MAX)} of ${grouped(pretty.length)} characters; save it to see all.`)] : [];
  const pre = el(type === "text/plain" ? "pre.prose" : "pre", { dir: "auto" }, pretty.slice(0, SHOWN_CHARS_MAX));
  return pretty.length > OPEN_CHARS_MAX ? [folded(`Show ${amount(bytes.length)}`, pre), ...cut] : pre;
}

/** Saves the exact bytes. */
function saveLink({ bytes }, name) {
  const link = el("a.save", { href: "#save", download: `${name}.bin` }, "save");
  link.addEventListener("click", () => {
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  return link;
}

/** Everything that stands in clear in an event, as names and values. */
function fields(event) {
  const rows = [];
  const walk = (path, value) => {
    if (value === null || typeof value !== "object") rows.push([path.map(spaced).join(" "), fieldValue(path.at(-1), value)]);
    else if (Array.isArray(value) && value.every((item) => typeof item !== "object")) rows.push([path.map(spaced).join(" "), value.map(String).join(", ")]);
    else Object.entries(value).forEach(([name, inner]) => walk([...path, Array.isArray(value) ? String(Number(name) + 1) : name], inner));
  };
  Object.entries(event).filter(([name]) => !SHOWN_ELSEWHERE.includes(name)).forEach(([name, value]) => walk([name], value));
  Object.entries(event.body ?? {}).forEach(([name, value]) => walk([name], value));
  return folded("All its clear fields", facts(rows));
}

function fieldValue(name, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (String(name).endsWith("_ns") && /^\d+$/.test(String(value))) return `${lasted(value)} (${grouped(value)} ns)`;
  if (typeof value === "string" && TIME.test(value)) return moment(value);
  return String(value);
}
