// The checks of one decision, or of a system's life: entries, openings, sealed bytes, shared content.

/** Reads a file and holds it against SHA256SUMS. Null if it cannot be used. */
async function take(bundle, path, findings) {
  let bytes = null;
  try {
    bytes = await bundle.source.read(path);
  } catch (error) {
    findings.fault("files", path, `It cannot be read: ${error.message}.`);
    return null;
  }
  if (bytes === null) return null;
  const sum = bundle.sums.get(path);
  if (sum === undefined) return bytes;
  if (hex(await sha256(bytes)) === sum) findings.pass("files");
  else findings.fault("files", path, "It was changed after the bundle was made: its SHA-256 is not the one in SHA256SUMS.");
  return bytes;
}

/** Reads one of the JSON files, if it is there. */
async function takeJson(bundle, path, form, check, findings) {
  const bytes = await take(bundle, path, findings);
  if (bytes === null) return null;
  try {
    return readFile(bytes, form);
  } catch (error) {
    findings.fault(check, path, `It cannot be understood: ${error.message}.`);
    return null;
  }
}

/**
 * Checks a decision and what belongs to it. Gives what may be shown: entries with their standing, events, content that is
 * what it was committed to.
 */
async function checkDecision(bundle, decision, findings) {
  const files = { entries: `decisions/${decision}.json`, openings: `openings/${decision}.json`, sealed: `sealed/${decision}.json` };
  return checkEntries(bundle, files, decision, findings);
}

/** Checks the life of the system that a log is of. */
async function checkSystem(bundle, log, findings) {
  return checkEntries(bundle, { entries: `logs/${log}/system.json`, openings: `logs/${log}/openings.json` }, undefined, findings);
}

async function checkEntries(bundle, files, decision, findings) {
  const told = { decision, file: files.entries, entries: [], events: [], contents: new Map(), sealed: new Map(), refused: new Set(), given: 0 };
  const read = await takeJson(bundle, files.entries, "entries", "entries", findings);
  if (read === null) return told;
  if (read.decision !== decision) findings.fault("entries", files.entries, "It says that it is about another decision than its name.");
  let last = null;
  for (const proved of read.entries) {
    const place = { log: proved.log, index: proved.index };
    if (last !== null && (proved.log < last.log || (proved.log === last.log && proved.index <= last.index))) {
      findings.fault("entries", files.entries, "An entry is there twice, or out of order.", place);
    }
    last = proved;
    told.entries.push(await checkEntry(bundle, proved, decision, files.entries, findings));
  }
  if (read.entries.length === 0 && decision !== undefined) findings.fault("entries", files.entries, "There is no entry in it.");
  checkParts(told, findings);
  told.events = told.entries.flatMap((entry) => entry.events);
  await checkOpenings(bundle, told, files.openings, findings);
  if (files.sealed !== undefined) await checkSealed(bundle, told, files.sealed, findings);
  noticeAbsent(told, findings);
  return told;
}

/** One entry: its hash, its proof, its JSON. */
async function checkEntry(bundle, { entry: text, index, log, proof }, decision, file, findings) {
  const checked = { log, index, proved: false, bytes: 0, events: [], of: 1, part: 1 };
  const place = { log, index };
  const tree = bundle.logs[log]?.checkpoint;
  const bytes = utf8(text);
  checked.bytes = bytes.length;
  if (tree == null) {
    findings.fault("entries", file, "There is no checkpoint that this entry could be proved under.", place);
  } else if (await isIncluded(index, tree.size, await leafHash(bytes), proof.map(fromBase64), tree.root)) {
    checked.proved = true;
    findings.pass("entries");
  } else {
    findings.fault("entries", file, "This entry is not in the log at this index, or it was changed: its hash and proof do not lead to the checkpoint’s root.", place);
  }
  try {
    const { decision: of, ...entry } = readEntry(text);
    if (of !== decision) findings.fault("entries", file, decision === undefined ? "This entry is of a decision, not of the system’s life." : "This entry is of another decision.", place);
    Object.assign(checked, entry);
    checked.events = entry.events.map((event, at) => ({ event, entry: checked, at }));
  } catch (error) {
    findings.fault("entries", file, `This entry is not one: ${error.message}.`, place);
  }
  return checked;
}

/** All parts of what became durable together stand beside each other (docs/format.md, section 4). */
function checkParts(told, findings) {
  const there = new Map(told.entries.map((entry) => [`${entry.log}/${entry.index}`, entry]));
  for (const { log, index, of, part } of told.entries) {
    for (let other = 1; other <= of; other += 1) {
      const found = there.get(`${log}/${index - part + other}`);
      if (found?.of === of && found.part === other) continue;
      const what = `Part ${other} of ${of} of what was written together is missing.`;
      // Of the system's life a bundle has what concerns its decisions, not all.
      if (told.decision === undefined) findings.notice(`${told.file}, entry ${index}: ${what}`);
      else findings.fault("entries", told.file, what, { log, index });
      break;
    }
  }
}

/** References to content in these events, each with the event that holds it. */
const references = (told) => told.events.flatMap(({ event, entry }) => (event.payloads ?? []).map((reference) => ({ reference, event, entry })));

/** Whether a reference is to content that its entry commits to, recorded here for the first time. */
const isCommitted = (reference) => reference.state === "present" && reference.first === undefined;

/** Whether bundle.json says that content of this role and class is given out. A role is what the content is to any event. */
function isCovered({ facts }, told, { payload, class: kind }) {
  if (facts === null) return true;
  const { classes, roles } = facts.disclosure;
  const fits = (role) => roles.some((pattern) => (pattern.endsWith("*") ? role.startsWith(pattern.slice(0, -1)) : role === pattern));
  return (classes.length === 0 || classes.includes(kind)) && references(told).some(({ reference }) => reference.payload === payload && fits(reference.role));
}

/** Content given out: docs/bundle.md, `openings`. */
async function checkOpenings(bundle, told, file, findings) {
  const read = await takeJson(bundle, file, "disclosed", "openings", findings);
  if (read === null) return;
  if (read.decision !== told.decision) findings.fault("openings", file, "It says that it is about another decision than its name.");
  told.given = read.openings.length;
  if (told.given === 0) findings.fault("openings", file, "There is no opening in it.");
  const committed = new Map(references(told).filter(({ reference }) => isCommitted(reference)).map((held) => [held.reference.payload, held]));
  const seen = new Set();
  for (const opening of read.openings) {
    const payload = opening.payload;
    const held = committed.get(payload);
    const place = { log: held?.entry.log, index: held?.entry.index, payload };
    const wrong = (what) => {
      findings.fault("openings", file, what, place);
      told.refused.add(payload);
    };
    const bytes = opening.text !== undefined ? utf8(opening.text) : fromBase64(opening.base64);
    if (seen.has(payload)) wrong("This content is given out twice.");
    else if (held === undefined) wrong("This content is given out, and no entry here holds a commitment to it.");
    else if (erasureOf(bundle, held) !== null) wrong("This content is given out, though the log says that it was erased before.");
    else if (!isCovered(bundle, told, held.reference)) wrong("This content is given out, and bundle.json does not say that content of its role and class is.");
    else if (bytes === null || (opening.text !== undefined && opening.base64 !== undefined)) wrong("This content is neither text nor the base64 of bytes.");
    else if (!digest(held.reference.commitment)) wrong("The entry holds no commitment to this content.");
    else if (hex(await commitment(fromHex(opening.data_key), bytes)) !== held.reference.commitment) wrong("This content is not what was recorded: it does not give the commitment in its entry.");
    else {
      findings.pass("openings");
      told.contents.set(payload, { bytes, text: opening.text });
    }
    seen.add(payload);
  }
}

/** The later erasure that destroyed the key of this content and did not withhold it, or null. */
function erasureOf(bundle, { reference, event, entry }) {
  if (reference.key_id === undefined) return null;
  const isOf = ({ body, log, index, intent }) =>
    (log !== entry.log || index > entry.index) && !bundle.withheld.get(intent)?.has(reference.key_id) &&
    ((body.keys ?? []).includes(reference.key_id) || (body.subjects ?? []).some((subject) => (event.subjects ?? []).includes(subject)));
  return bundle.erasures.find(isOf) ?? null;
}

/** The later purge that covers the class and entry of this content, and from which no hold kept its decision, or null. */
function purgeOf(bundle, told, { reference, entry }) {
  if (reference.key_id === undefined) return null;
  const first = told.events.find((other) => other.entry === entry)?.event;
  const isOf = (purge) =>
    purge.log === entry.log && purge.index > entry.index && purge.body.first <= entry.index && entry.index <= purge.body.last &&
    [undefined, first?.retention].includes(purge.body.class) && ![...bundle.holds.values()].some((hold) => isHeld(told, hold, purge));
  return bundle.purges.find(isOf) ?? null;
}

/** Whether a hold that stood at this place covers any event of a decision. Of another log it is not known which came first. */
function isHeld(told, { placed, released }, { log, index }) {
  if (released.some((place) => place.log === log && place.index < index)) return false;
  const scopes = placed.filter((place) => place.log !== log || place.index < index).map(({ scope }) => scope);
  const isIn = (names, has) => (names ?? []).length === 0 || names.some((name) => has.includes(name));
  const covers = (scope, event) =>
    isIn(scope.classes, [event.retention]) && isIn(scope.decisions, [told.decision]) && isIn(scope.subjects, event.subjects ?? []) &&
    (scope.from ?? "") <= event.logged_at && (scope.to === undefined || event.logged_at < scope.to);
  return scopes.some((scope) => told.events.some(({ event }) => covers(scope, event)));
}

/** What a system's life tells of erasures, of what was withheld from them, of purges and of holds. */
function learn(bundle, told) {
  for (const { event, entry } of told.events) {
    const { body, kind } = event;
    if (!isObject(body)) continue;
    const place = { event: event.id, body, log: entry.log, index: entry.index };
    const intent = body.intent ?? event.id;
    if (kind === "erasure" && body.phase === "withheld") bundle.withheld.set(intent, new Set([...(bundle.withheld.get(intent) ?? []), ...(body.keys ?? [])]));
    else if (kind === "erasure" && body.phase !== "refused") bundle.erasures.push({ ...place, intent });
    else if (kind === "purge" && body.what !== "entries") bundle.purges.push(place);
    else if (kind === "hold.placed" || kind === "hold.released") {
      const hold = bundle.holds.get(body.hold) ?? { placed: [], released: [] };
      hold[kind === "hold.placed" ? "placed" : "released"].push({ ...place, scope: isObject(body.scope) ? body.scope : {} });
      bundle.holds.set(body.hold, hold);
    }
  }
}

/** Sealed bytes, for whoever gets a key later. */
async function checkSealed(bundle, told, file, findings) {
  const isThere = bundle.there.has(file);
  if (bundle.facts !== null && bundle.facts.disclosure.sealed !== isThere) findings.fault("sealed", file, isThere ? "It is there, and bundle.json says that no sealed bytes are." : "It is missing, though bundle.json says that sealed bytes are there.");
  const read = await takeJson(bundle, file, "sealed", "sealed", findings);
  if (read === null) return;
  if (read.decision !== told.decision) findings.fault("sealed", file, "It says that it is about another decision than its name.");
  const committed = new Map(references(told).filter(({ reference }) => isCommitted(reference)).map((held) => [held.reference.payload, held]));
  for (const { base64: encoded, payload } of read.sealed) {
    const held = committed.get(payload);
    const place = { log: held?.entry.log, index: held?.entry.index, payload };
    const bytes = fromBase64(encoded);
    if (told.sealed.has(payload)) findings.fault("sealed", file, "These sealed bytes are there twice.", place);
    else if (held === undefined) findings.fault("sealed", file, "No entry here speaks of these sealed bytes.", place);
    else if (bytes === null || hex(await sha256(bytes)) !== held.reference.sealed) findings.fault("sealed", file, "These are not the sealed bytes that the entry names: their SHA-256 differs.", place);
    else {
      findings.pass("sealed");
      told.sealed.set(payload, bytes.length);
    }
  }
}

/** Events that are named and do not stand here: a bundle proves what is in it, not that nothing was left out. */
function noticeAbsent(told, findings) {
  const here = new Set(told.events.map(({ event }) => event.id));
  const named = told.events.flatMap(({ event }) => [event.parent, ...(Array.isArray(event.after) ? event.after : []), ...(event.payloads ?? []).map(({ first }) => first)]);
  const absent = new Set(named.filter((other) => other !== undefined && !here.has(other)));
  const whose = told.decision === undefined ? "the system’s life" : `decision ${told.decision}`;
  if (absent.size > 0) findings.notice(`In ${whose}, events are named that stand in no entry here: ${[...absent].join(", ")}.`);
}

/** The line in decisions.json that follows from the entries. */
function summaryOf({ decision, entries, events, given }) {
  const first = events[0]?.event;
  const closed = events.filter(({ event }) => event.kind === "decision.closed").at(-1)?.event;
  const committed = events.flatMap(({ event }) => event.payloads ?? []).filter((reference) => isCommitted(reference) && (reference.commitment ?? reference.sha256) !== undefined);
  const payloads = new Set(committed.map(({ payload }) => payload)).size;
  return {
    disclosed: given,
    entries: entries.length,
    id: decision,
    logged_at: first?.logged_at,
    ...(closed?.body?.outcome === undefined ? {} : { outcome: closed.body.outcome }),
    payloads,
    system: first?.system,
  };
}
