// The checks of a bundle as a whole. Signatures are apart from content: they are checked again when the reader gives keys.

/** Decisions that are checked at a time while a ZIP file is read. */
const AT_A_TIME = 8;

/** Reads what says what is in the bundle. What cannot be read is a fault; the rest goes on without it. */
async function openBundle(source, findings) {
  const bundle = { source, there: new Set(source.paths), sums: new Map(), facts: null, summaries: [], logs: [], erasures: [], withheld: new Map(), purges: [], holds: new Map(), named: new Set(), systems: [], coverage: null };
  const sums = await source.read(SUMS).catch(() => null);
  try {
    if (sums === null) throw new Error("it is missing");
    bundle.sums = readSums(sums);
    bundle.sumsHash = hex(await sha256(sums));
  } catch (error) {
    findings.fault("files", SUMS, `It cannot be understood: ${error.message}.`);
  }
  checkNames(bundle, findings);
  bundle.facts = await takeJson(bundle, FACTS, "facts", "files", findings);
  bundle.summaries = (await takeJson(bundle, SUMMARIES, "summaries", "summary", findings))?.decisions ?? [];
  for (const [number, facts] of (bundle.facts?.logs ?? []).entries()) bundle.logs.push(await openLog(bundle, number, facts, findings));
  const origins = bundle.logs.map((log) => log.origin);
  if (new Set(origins).size < origins.length) findings.fault("files", FACTS, "It names a log twice.");
  bundle.coverage = await readCoverage(bundle, findings);
  return bundle;
}

/** Names: nothing missing, nothing unlisted, nothing that has no place in a bundle. */
function checkNames({ source, sums, there }, findings) {
  for (const path of source.paths) {
    if (!UNLISTED.includes(path) && !sums.has(path)) findings.fault("files", path, "It is in the bundle, but SHA256SUMS does not list it.");
    if (!isPath(path) || kindOfFile(path) === null) findings.fault("files", path, "No file of a bundle has this name.");
  }
  const needed = [MANIFEST, FACTS, SUMMARIES, ...(source.whole ? [...REQUIRED, ...sums.keys()] : [])];
  for (const path of new Set(needed)) if (!there.has(path)) findings.fault("files", path, "It is missing.");
}

/** A log's checkpoint, the keys that the bundle says are its, and timestamps. */
async function openLog(bundle, number, facts, findings) {
  const log = { number, ...facts, note: null, checkpoint: null, own: [], stamps: [] };
  const file = `logs/${number}/checkpoint`;
  try {
    const bytes = await take(bundle, file, findings);
    if (bytes === null) throw new Error("it is missing");
    log.note = parseNote(bytes);
    log.checkpoint = parseCheckpoint(log.note.text);
    if (log.checkpoint.origin !== facts.origin) throw new Error("it is of another log than bundle.json says");
    if (log.checkpoint.size !== facts.size) throw new Error("it has another size than bundle.json says");
    if (base64(log.checkpoint.root) !== facts.root) throw new Error("it has another root hash than bundle.json says");
  } catch (error) {
    findings.fault("checkpoint", file, `The checkpoint cannot be used: ${error.message}.`);
  }
  await readOwnKeys(bundle, log, findings);
  await readTimestamps(bundle, log, findings);
  return log;
}

async function readOwnKeys(bundle, log, findings) {
  const file = `logs/${log.number}/keys`;
  const bytes = await take(bundle, file, findings);
  try {
    const lines = bytes === null ? [] : textOf(bytes).split("\n").filter((line) => line !== "");
    for (const line of lines) log.own.push(await parseVkey(line));
    if (log.own.some((key) => key.name !== log.origin)) throw new Error("a key in it is of another log");
  } catch (error) {
    findings.fault("checkpoint", file, `It cannot be understood: ${error.message}.`);
  }
}

/** RFC 3161 responses are about the checkpoint's text: signatures that come later do not change it. */
async function readTimestamps(bundle, log, findings) {
  for (let number = 0; number < log.timestamps; number += 1) {
    const file = `logs/${log.number}/timestamps/${number}.tsr`;
    const bytes = await take(bundle, file, findings);
    try {
      if (bytes === null) throw new Error("it is missing");
      const stamp = parseTimestamp(bytes);
      if (log.note === null || !sameBytes(stamp.imprint, await sha256(utf8(log.note.text)))) throw new Error("it is about something else than this checkpoint");
      log.stamps.push(stamp);
      findings.pass("timestamps");
    } catch (error) {
      findings.fault("timestamps", file, `The timestamp does not hold: ${error.message}.`);
    }
  }
}

/** The coverage report is shown as it stands: what is said of the time that the decisions span. */
async function readCoverage(bundle, findings) {
  const bytes = await take(bundle, COVERAGE, findings);
  if (bytes === null) return null;
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    findings.fault("files", COVERAGE, "It is not JSON.");
    return null;
  }
}

/** Signatures: with the keys that the reader pasted, else with those that the bundle brings. */
async function checkSignatures(bundle, pasted, ability) {
  const findings = new Findings();
  const result = { findings, logs: [], byReader: false };
  if (!ability.ed25519) {
    for (const check of ["manifest", "checkpoint"]) findings.skip(check, "This browser does not verify Ed25519 signatures: use a newer one, or verify.py.");
  }
  const manifest = await readManifest(bundle, findings);
  if (bundle.facts !== null && bundle.logs.length === 0) findings.fault("manifest", FACTS, "It names no log whose key could have signed the bundle.");
  for (const key of pasted.filter((key) => key.type === ED25519 && !bundle.logs.some((log) => log.origin === key.name))) {
    findings.fault("manifest", MANIFEST, `You gave the key of ${key.name}; nothing in this bundle is of that log.`);
  }
  for (const log of bundle.logs) {
    const given = pasted.filter((key) => key.type === ED25519 && key.name === log.origin);
    const keys = given.length > 0 ? given : log.own.filter((key) => key.name === log.origin);
    const said = { log, keys, byReader: given.length > 0, signers: [], witnesses: [], unchecked: [] };
    result.logs.push(said);
    if (!ability.ed25519) continue;
    await checkSigned(manifest, keys, "manifest", MANIFEST, said, findings);
    said.signers = await checkSigned(log.note, keys, "checkpoint", `logs/${log.number}/checkpoint`, said, findings);
    await checkWitnesses(log, pasted.filter((key) => key.type === COSIGNATURE), said, findings);
  }
  if (bundle.source.zip) await checkReport(bundle, result, ability, findings);
  result.byReader = result.logs.length > 0 && result.logs.every((log) => log.byReader);
  return result;
}

async function readManifest(bundle, findings) {
  try {
    const bytes = await bundle.source.read(MANIFEST);
    if (bytes === null) throw new Error("it is missing");
    const note = parseNote(bytes);
    if (note.text !== `inferlog bundle v1\n${bundle.sumsHash}\n`) throw new Error("it does not hold the SHA-256 of SHA256SUMS: one of the two was changed");
    return note;
  } catch (error) {
    findings.fault("manifest", MANIFEST, `The manifest does not hold: ${error.message}.`);
    return null;
  }
}

async function checkSigned(note, keys, check, file, { byReader, log }, findings) {
  if (note === null) return [];
  const { good, bad } = await verifyNote(note, keys);
  for (const { key } of bad) findings.fault(check, file, `The signature of ${key.name} (key ${key.id}) is false: the text or the signature was changed.`);
  if (good.length === 0 && bad.length === 0) {
    const whose = byReader ? "the key that you gave" : "a key that the bundle brings";
    findings.fault(check, file, `It is not signed by ${whose} for ${log.origin}.`);
  }
  if (good.length > 0) findings.pass(check);
  return good;
}

/** Cosignatures of the witnesses whose keys the reader gave; the others are named. */
async function checkWitnesses(log, keys, said, findings) {
  const file = `logs/${log.number}/checkpoint`;
  const { good, bad } = log.note === null ? { good: [], bad: [] } : await verifyNote(log.note, keys);
  for (const { key } of bad) findings.fault("cosignatures", file, `The cosignature of the witness ${key.name} is false.`);
  for (const key of keys) {
    if (![...good, ...bad].some((signed) => signed.key === key)) findings.notice(`The witness ${key.name} did not sign the checkpoint of ${log.origin}.`);
  }
  if (keys.length > 0 && good.length === 0) findings.fault("cosignatures", file, "None of the witnesses whose keys you gave signed it.");
  findings.pass("cosignatures", good.length);
  const others = (log.note?.signatures ?? []).filter(({ name, id }) => name !== log.origin && !keys.some((key) => key.name === name && key.id === id));
  if (others.length > 0) findings.skip("cosignatures", "Signatures of others are there that no key was given for.");
  Object.assign(said, { witnesses: good, unchecked: others });
}

/** All content. `step` is told how far it is, and each decision when it is checked. */
async function checkContent(bundle, findings, step) {
  for (const log of bundle.logs) {
    if (!bundle.there.has(`logs/${log.number}/system.json`)) findings.fault("files", `logs/${log.number}/system.json`, "It is missing.");
    const told = await checkSystem(bundle, log.number, findings);
    bundle.systems.push(told);
    learn(bundle, told);
    nameShared(bundle, told);
  }
  await checkList(bundle, findings);
  let done = 0;
  const queue = bundle.summaries.values();
  const work = async () => {
    for (const summary of queue) {
      try {
        await checkOne(bundle, summary, findings, step);
      } catch (error) {
        findings.fault("entries", `decisions/${summary.id}.json`, `It cannot be checked: ${error.message}.`);
      }
      done += 1;
      step.progress(done, bundle.summaries.length);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  await checkShared(bundle, findings);
  for (const path of bundle.sums.keys()) {
    const { kind } = kindOfFile(path) ?? { kind: "single" };
    if (["doc", "single"].includes(kind) && ![FACTS, SUMMARIES, COVERAGE].includes(path)) await take(bundle, path, findings);
  }
}

async function checkOne(bundle, summary, findings, step) {
  const told = await checkDecision(bundle, summary.id, findings);
  nameShared(bundle, told);
  if (told.events.length > 0 && JSON.stringify(summaryOf(told)) === JSON.stringify(summary)) findings.pass("summary");
  else findings.fault("summary", SUMMARIES, "What the list says of this decision does not follow from its entries.", { decision: summary.id });
  step.told(told);
}

/** The list of decisions: as many as bundle.json says, in order, each with its files and no files besides. */
async function checkList(bundle, findings) {
  const ids = bundle.summaries.map((summary) => summary.id);
  if (bundle.facts !== null && bundle.facts.decisions !== ids.length) findings.fault("summary", FACTS, `It says ${bundle.facts.decisions} decisions; decisions.json lists ${ids.length}.`);
  if (ids.some((id, at) => at > 0 && id <= ids[at - 1])) findings.fault("summary", SUMMARIES, "A decision is listed twice, or out of order.");
  const listed = new Set(ids);
  const { there } = bundle;
  for (const path of there) {
    const file = kindOfFile(path);
    if (file?.decision !== undefined && !listed.has(file.decision)) findings.fault("summary", path, "decisions.json does not list the decision that this file is of.");
    if (file?.kind === "log" && file.log >= bundle.logs.length) findings.fault("files", path, "bundle.json does not know the log that this file is of.");
    if (file?.rest?.startsWith("timestamps/") && Number(file.rest.slice(11, -4)) >= (bundle.logs[file.log]?.timestamps ?? 0)) findings.fault("timestamps", path, "bundle.json does not count this timestamp.");
  }
  for (const id of ids) if (!there.has(`decisions/${id}.json`)) findings.fault("entries", `decisions/${id}.json`, "It is missing, though decisions.json lists the decision.");
}

/** Which of the shared files entries name. */
function nameShared(bundle, told) {
  const walk = (value) => {
    if (typeof value === "string" && value.length === 64 && bundle.sums.has(`shared/${value}`)) bundle.named.add(value);
    else if (value !== null && typeof value === "object") Object.values(value).forEach(walk);
  };
  told.events.forEach(({ event }) => walk(event));
}

async function checkShared(bundle, findings) {
  for (const path of bundle.sums.keys()) {
    const file = kindOfFile(path);
    if (file?.kind !== "shared") continue;
    const bytes = await take(bundle, path, findings);
    if (bytes === null) continue;
    if (hex(await sha256(bytes)) !== file.sha256) findings.fault("shared", path, "Its SHA-256 is not its name: it is not the content that entries name.");
    else if (!bundle.named.has(file.sha256)) findings.fault("shared", path, "No entry in this bundle names this content.");
    else findings.pass("shared");
  }
}

/**
 * The page as it lies in the ZIP file: the log's key signed its SHA-256. Whether it is the page that belongs to this data is
 * for `inferlog verify --bundle` to say, which makes it again.
 */
async function checkReport({ source }, { logs }, ability, findings) {
  try {
    const [page, note] = [await source.read(REPORT), await source.read(REPORT_NOTE)];
    if (page === null || note === null) throw new Error(`${page === null ? REPORT : REPORT_NOTE} is missing`);
    const signed = parseNote(note);
    if (signed.text !== `inferlog bundle report v1\n${hex(await sha256(page))}\n`) throw new Error("the note does not hold the SHA-256 of report.html");
    if (!ability.ed25519) findings.skip("report", "This browser does not verify Ed25519 signatures.");
    else for (const said of logs) await checkSigned(signed, said.keys, "report", REPORT_NOTE, said, findings);
  } catch (error) {
    findings.fault("report", REPORT_NOTE, `The page in the ZIP file does not hold: ${error.message}.`);
  }
}

/** What a page that holds the overview alone can check: the files that are in it. */
async function checkOverview(bundle, findings) {
  findings.skip("entries", "The decisions are in the ZIP file.");
  for (const check of ["openings", "sealed", "shared", "summary"]) findings.skip(check, "It takes the ZIP file.");
  findings.skip("files", `${counted(bundle.sums.size, "file")} are listed; the page holds ${bundle.source.paths.length} of all.`);
  if (bundle.facts !== null && bundle.facts.decisions !== bundle.summaries.length) findings.fault("summary", FACTS, `It says ${bundle.facts.decisions} decisions; decisions.json lists ${bundle.summaries.length}.`);
}
