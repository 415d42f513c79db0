// A decision's events in the order of cause and effect, never of clocks.

/** Events of a decision, parts of one put together, repetitions left out; each with its number, from 1. */
function steps(told) {
  const byEvent = new Map();
  for (const { event, entry } of told.events) {
    const write = `${entry.log}/${entry.index - entry.part}`;
    const known = byEvent.get(event.id);
    if (known === undefined) {
      byEvent.set(event.id, { event, entries: [entry], write, payloads: [...(event.payloads ?? [])] });
    } else if (known.write === write && !known.entries.includes(entry)) {
      // An event too large for one entry is continued in the next (docs/format.md, section 4).
      known.entries.push(entry);
      known.payloads.push(...(event.payloads ?? []));
    }
  }
  const ordered = inOrder([...byEvent.values()]);
  ordered.forEach((step, at) => (step.number = at + 1));
  return ordered;
}

/** Ids of events that come before this one. */
const causes = ({ event }) => [...new Set([...(Array.isArray(event.after) ? event.after : []), event.parent])].filter((id) => id !== undefined && id !== event.id);

/** What numbers events: their source; for pieces of an answer, the call that gave it. */
function numbered({ event }) {
  const { capture, body, kind, seq } = event;
  const source = `${capture?.method ?? ""}/${capture?.adapter ?? ""}`;
  if (kind === "delivery" && body?.part !== undefined) return [`${source}/${body.of ?? ""}`, Number(body.part)];
  return seq === undefined ? null : [source, Number(seq)];
}

/**
 * Causal order: `after` and `parent` first; what they leave open is decided by `seq` among events of one source, then by the
 * place in the log. What is its own cause is placed where the log has it.
 */
function inOrder(given) {
  const at = new Map(given.map((step, place) => [step.event.id, place]));
  const waits = given.map((step) => causes(step).map((id) => at.get(id)).filter((place) => place !== undefined));
  const before = predecessors(given);
  const [left, placed, ordered] = [new Set(given.keys()), new Set(), []];
  while (left.size > 0) {
    let [next, free] = [];
    for (const place of left) {
      if (waits[place].some((cause) => !placed.has(cause))) continue;
      free ??= place;
      next = place;
      if (before[place] === undefined || placed.has(before[place])) break;
      next = undefined;
    }
    next ??= free ?? left.values().next().value;
    left.delete(next);
    placed.add(next);
    ordered.push(given[next]);
  }
  return ordered;
}

/** For each event that its source numbers, the one with the next lower number. */
function predecessors(given) {
  const sources = new Map();
  given.forEach((step, place) => {
    const [source, number] = numbered(step) ?? [];
    if (source !== undefined) sources.set(source, [...(sources.get(source) ?? []), [number, place]]);
  });
  const before = [];
  for (const places of sources.values()) {
    places.sort(([a, first], [b, second]) => a - b || first - second);
    places.slice(1).forEach(([, place], at) => (before[place] = places[at][1]));
  }
  return before;
}

/** What an event is about, in a few words; `of` names other steps. */
function label({ event: { kind, body = {} }, payloads }, of) {
  const version = (text) => (text === undefined ? undefined : `version ${text}`);
  const model = body.model ?? {};
  const parts = {
    "decision.opened": () => [body.route, body.wire],
    "decision.joined": () => [body.route, body.wire],
    inference: () => [model.returned ?? model.requested, version(model.version)],
    retrieval: () => [body.index, version(body.index_version)],
    tool_call: () => [body.name, body.attempt > 1 ? `attempt ${body.attempt}` : undefined],
    transform: () => [body.name, version(body.version)],
    reasoning: () => [body.form],
    human: () => [body.about === undefined ? undefined : `about ${of(body.about)}`],
    label: () => [body.name, body.origin === undefined ? undefined : spaced(body.origin)],
    delivery: () => [body.part === undefined ? undefined : `piece ${body.part}`, body.of === undefined ? undefined : `of ${of(body.of)}`],
    "biometric.match": () => [body.database],
    context: () => [body.environment, body.build],
    "system.changed": () => [body.aspect, body.name, body.new],
    erasure: () => [body.phase, body.order === undefined ? undefined : `on the order of: ${spaced(body.order)}`],
    access: () => [body.action, body.role, body.purpose === undefined ? undefined : `for ${spaced(body.purpose)}`],
    alert: () => [body.monitor, body.severity],
    drill: () => [body.result],
    gap: () => [body.count, body.why === undefined ? undefined : spaced(body.why)],
    incident: () => [body.category === undefined ? undefined : spaced(body.category), body.phase],
    "hold.placed": () => [body.basis === undefined ? undefined : spaced(body.basis)],
    "hold.released": () => [body.basis === undefined ? undefined : spaced(body.basis)],
    "recorder.started": () => [body.build, body.last_end === undefined ? undefined : `last end: ${body.last_end}`],
  };
  const said = (Object.hasOwn(parts, kind) ? parts[kind]() : []).filter((part) => part !== undefined).map(String).join(", ");
  return said || [...new Set(payloads.map(({ role }) => named(ROLES, role).toLowerCase()))].slice(0, 3).join(", ");
}

/** How an event ended, where it says so. */
const ending = ({ event: { kind, body = {} } }) => (kind === "human" ? body.action : (body.outcome ?? body.result ?? body.end));
