// The parts of the page besides steps: a decision's head, the system's life, coverage, the proof.

/** A decision: in short, people first, then all that happened. */
function decisionParts(told, bundle, whose) {
  const ordered = steps(told);
  const humans = ordered.filter((step) => step.event.kind === "human");
  const parts = [head(told, ordered, bundle, whose)];
  if (humans.length > 0) parts.push(people(humans, ordered, told, bundle, whose));
  parts.push(el("h3", "What happened"), el("p.lead", `${counted(ordered.length, "step")}, in the order of cause and effect, never of clocks.`), timeline(told, bundle, whose));
  return parts;
}

function head(told, ordered, bundle, whose) {
  const { decision, entries } = told;
  const first = ordered[0]?.event;
  const closed = told.events.filter(({ event }) => event.kind === "decision.closed").at(-1)?.event;
  const outcome = closed?.body?.outcome;
  const models = [...new Set(ordered.filter((step) => step.event.kind === "inference").map(({ event: { body = {} } }) => body.model?.returned ?? body.model?.requested ?? "a model without a name"))];
  const proved = entries.filter((entry) => entry.proved).length;
  const [from, to] = [nanoseconds(first?.started_at ?? first?.logged_at), nanoseconds(closed?.ended_at ?? closed?.logged_at)];
  const human = ordered.filter((step) => step.event.kind === "human").at(-1);
  const subjects = [...new Set(told.events.flatMap(({ event }) => event.subjects ?? []))];
  const rows = [
    ["Outcome", pill(tone(outcome), [spaced(outcome ?? "still open"), closed?.body?.error].filter(Boolean).map(spaced).join(": "))],
    ["System", `${first?.system ?? "unknown"}${first?.body?.route === undefined ? "" : `, route ${first.body.route}`}`],
    ["Logged", [moment(first?.logged_at), from !== null && to !== null && to > from ? el("span.dim", ` · took ${lasted(to - from)}`) : null]],
    ["Model", models.length === 0 ? el("span.dim", "no model call is recorded") : models.join(", ")],
    ["People", human === undefined ? el("span.dim", "no human action is recorded") : [pill("human", spaced(human.event.body?.action ?? "acted")), " ", el("a", { href: `#step-${whose}-${human.number}` }, `#${human.number}`)]],
    ["About", subjects.length === 0 ? null : subjects.map((subject) => el("div", code(subject), el("span.dim", " (pseudonym)")))],
    ["Content", contentCounts(told, bundle)],
    ["Proof", proved === entries.length && proved > 0 ? pill("good", `${counted(proved, "entry")} in the log under its checkpoint`) : pill("bad", `${proved} of ${counted(entries.length, "entry")} proved`)],
  ];
  return el("div.verdict", { id: `top-${whose}` }, el("p.name", code(decision ?? "")), el("dl", rows.filter(([, value]) => value !== null).map(([name, value]) => el("div", el("dt", name), el("dd", value)))));
}

/** `3 disclosed · 2 committed, not disclosed · 1 erased`. */
function contentCounts(told, bundle) {
  const counts = new Map();
  for (const held of references(told)) {
    const { reference } = held;
    if (reference.first !== undefined) continue;
    let state = spaced(reference.state);
    if (reference.state === "present") {
      const isShared = reference.sha256 !== undefined;
      state = told.contents.has(reference.payload) ? "disclosed" : isShared && bundle.shared?.has(reference.sha256) ? "shared" : told.refused.has(reference.payload) ? "that does not hold" : erasureOf(bundle, held) !== null ? "erased" : purgeOf(bundle, told, held) !== null ? "purged" : "committed, not disclosed";
    }
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return counts.size === 0 ? el("span.dim", "none is spoken of") : [...counts].map(([state, number]) => `${grouped(number)} ${state}`).join(" · ");
}

/** What persons did: before anything else, for it is what an answer's reader asks first. */
function people(humans, ordered, told, bundle, whose) {
  const numbers = new Map(ordered.map((step) => [step.event.id, step.number]));
  const page = { told, bundle, whose: `${whose}-people`, numbers, link: (id) => el("a", { href: `#step-${whose}-${numbers.get(id)}` }, `#${numbers.get(id)}`), anchors: new Set() };
  const items = humans.map((step) => {
    const { body = {}, logged_at: time } = step.event;
    const by = body.reviewer === undefined ? "by somebody whom the record does not name" : ["by ", code(body.reviewer), " (pseudonym)"];
    const about = numbers.has(body.about) ? [", about ", page.link(body.about)] : null;
    return el("li", pill("human", spaced(body.action ?? "acted")), " ", moment(time), ", ", by, about, ", ", el("a", { href: `#step-${whose}-${step.number}` }, `step #${step.number}`), contents(step, page));
  });
  return el("div.people", el("h3", "What people did"), el("ul", items));
}

/** The life of a system: what happened to it, not to one decision. */
function systemParts(bundle) {
  return bundle.systems.map((told, log) => {
    const name = told.events[0]?.event.system ?? bundle.logs[log]?.origin;
    if (told.events.length === 0) return el("p.dim", `No event of the life of ${name} belongs to these decisions.`);
    const title = bundle.systems.length > 1 ? el("h3", name) : null;
    return el("div", title, timeline(told, bundle, `system${log}`));
  });
}

/** Logs and what vouches for them. */
function proofParts(bundle, signatures) {
  return bundle.logs.map((log) => {
    const said = signatures.logs.find((said) => said.log === log);
    const signers = said.signers.map(({ key }) => el("div", code(`${key.name}+${key.id}`)));
    const from = said.byReader ? pill("good", "the key that you gave") : pill("caution", "a key that the bundle brings: its own word");
    const witnesses = [
      said.witnesses.map(({ key, time }) => el("div", pill("good", "cosigned"), ` ${key.name}, ${moment(timeOf(time))}`)),
      said.unchecked.map(({ name, id }) => el("div", pill("caution", "not checked"), ` ${name} (${id})`)),
    ].flat();
    const stamps = log.stamps.map(({ serial, time }) => el("div", moment(time), el("span.dim", ` serial ${serial}: is about this checkpoint; the authority’s signature is not checked here`)));
    return facts([
      ["Log", code(log.origin), true],
      ["Checkpoint", log.checkpoint === null ? pill("bad", "cannot be used") : counted(log.checkpoint.size, "entry")],
      ["Key from", from],
      ["Root hash", code(log.root), true],
      ["Signed by", signers.length === 0 ? pill("bad", "nobody whose key is known") : signers, true],
      ["Witnesses", witnesses.length === 0 ? el("span.dim", "no cosignature is on this checkpoint") : witnesses, true],
      ["Timestamps (RFC 3161)", stamps.length === 0 ? el("span.dim", "none") : stamps, true],
      ["The key that the bundle brings", log.own.map((key) => el("div", code(key.text))), true],
    ]);
  });
}

/** Seconds since 1970, as a time. */
function timeOf(seconds) {
  const date = new Date(Number(seconds) * 1_000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString();
}

/** The coverage report: what each system's record lacks, and the report as it is. */
function coverageParts(coverage) {
  if (coverage === null || typeof coverage !== "object") return [el("p.dim", "This bundle holds no coverage report.")];
  const systems = Array.isArray(coverage.systems) ? coverage.systems.filter((system) => Array.isArray(system?.findings) && system.findings.every(isObject)) : [];
  const parts = systems.map(({ findings, system }) => {
    const title = systems.length > 1 ? el("h3", system) : null;
    return el("div", title, findings.length === 0 ? el("p", pill("good", "nothing is missing that the profile asks for")) : findingsTable(findings));
  });
  const report = folded("The whole report", el("pre", { dir: "auto" }, indented(JSON.stringify(coverage))));
  return [...parts, coverage.claim === undefined ? null : el("p.dim", coverage.claim), report].filter(Boolean);
}

const SEVERITIES = { critical: "bad", warning: "caution" };

function findingsTable(findings) {
  const rows = findings.map(({ acceptance, count: number, of, of_what: what, says, serves, severity, todo, what: about }) => {
    const often = of === undefined ? grouped(number) : `${grouped(number)} of ${grouped(of)} ${what ?? ""}`;
    const accepted = acceptance?.in_force ? el("div.dim", `accepted until ${moment(acceptance.until)}`) : null;
    const tone = Object.hasOwn(SEVERITIES, severity) ? SEVERITIES[severity] : "plain";
    return el("tr", el("td", pill(tone, String(severity)), accepted), el("td", String(says), el("div.dim", String(about ?? ""))), el("td", often), el("td", String(todo ?? "")), el("td", String(serves ?? "")));
  });
  return table("coverage", ["Severity", "What is missing", "How often", "What to do", "Would serve"], rows);
}
