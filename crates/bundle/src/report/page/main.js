// The page's way: read, check, show; again with the reader's keys; again with the ZIP file.

/** Decisions of which everything goes on paper; of more only the list and the one that is shown. */
const PRINTED_MAX = 200;
/** Rows of the list that go on paper. */
const PRINTED_ROWS_MAX = 1_000;

const state = { pasted: [], ability: { ed25519: false }, told: new Map(), shown: null, refused: null, run: 0 };

async function start() {
  state.ability.ed25519 = await hasEd25519();
  byId("keys").addEventListener("input", readKeys);
  byId("zip").addEventListener("change", ({ target }) => {
    if (target.files.length === 0) return;
    checkZip(target.files[0]);
    // So that the same file can be chosen again.
    target.value = "";
  });
  acceptDrops();
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", () => toPaper(true));
  window.addEventListener("afterprint", () => toPaper(false));
  await run(pageSource());
}

/** Checks a bundle from one source and shows it. A run that was overtaken by another stops telling. */
async function run(source) {
  state.run += 1;
  const mine = state.run;
  const content = new Findings();
  state.refused = null;
  const next = { source, content, told: new Map(), complete: source.whole };
  byId("said").replaceChildren(el("h2", "Checking…"), el("p", source.zip ? "All of the ZIP file, in this browser." : "What lies in this page."));
  busy("Reading", 0, 1);
  next.bundle = await openBundle(source, content);
  next.list = new DecisionList(next.bundle.summaries);
  const step = {
    told: (told) => {
      next.list.standing.set(told.decision, !content.failed.has(told.decision));
      if (!source.zip) next.told.set(told.decision, told);
    },
    progress: (done, of) => state.run === mine && (done % 25 === 0 || done === of) && busy("Checking decisions", done, of),
  };
  if (source.whole) await checkContent(next.bundle, content, step);
  else await checkOverview(next.bundle, content);
  if (state.run !== mine) return;
  const theirs = state.manifest;
  state.manifest ??= await source.read(MANIFEST);
  if (theirs != null && !sameBytes(theirs, (await source.read(MANIFEST)) ?? new Uint8Array(0))) content.fault("manifest", MANIFEST, "The ZIP file is another bundle than this page was made for.");
  Object.assign(state, next, { time: new Date().toISOString() });
  await loadShared(state.bundle);
  await sign();
  drawData();
  await follow();
}

/** Signatures, with whatever keys there are. */
async function sign() {
  state.signatures = await checkSignatures(state.bundle, state.pasted, state.ability);
  state.findings = Findings.join(state.signatures.findings, state.content);
  if (state.refused !== null) state.findings.fault("files", ...state.refused);
  state.time = new Date().toISOString();
  drawResult();
}

/** Keys as the reader pastes them, one a line. */
async function readKeys() {
  const lines = byId("keys").value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const said = byId("keys-said");
  const keys = [];
  for (const [at, line] of lines.entries()) {
    try {
      keys.push(await parseVkey(line));
    } catch (error) {
      said.replaceChildren(el("span.wrong", `Line ${at + 1}: ${error.message}.`));
      return;
    }
  }
  const names = keys.map((key) => `${key.name} (${key.type === COSIGNATURE ? "witness" : "log"}, ${key.id})`);
  said.replaceChildren(keys.length === 0 ? "" : visible(`Read: ${names.join("; ")}.`));
  state.pasted = keys;
  if (state.bundle !== undefined) await sign();
}

async function checkZip(file) {
  const said = byId("zip-said");
  said.replaceChildren(visible(`${file.name}, ${amount(file.size)}`));
  try {
    await run(await zipSource(file));
  } catch (error) {
    said.replaceChildren(el("span.wrong", `${file.name}: ${error.message}.`));
    state.refused = [file.name, `The ZIP file was not checked: ${error.message}. What is shown lies in this page.`];
    if (state.bundle !== undefined) await sign();
  }
}

function acceptDrops() {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 0) checkZip(event.dataTransfer.files[0]);
  });
}

function busy(words, done, of) {
  byId("result").className = "banner busy";
  byId("progress").hidden = false;
  byId("bar").max = of;
  byId("bar").value = done;
  byId("far").replaceChildren(of > 1 ? `${words}: ${grouped(done)} of ${grouped(of)}` : words);
}

function drawResult() {
  const { tone: stands, parts } = bannerParts(state);
  byId("progress").hidden = true;
  byId("result").className = `banner ${stands}`;
  byId("said").replaceChildren(...parts.flat());
  byId("faults").replaceChildren(...faultList(state.findings).filter(Boolean), ...noticeList(state.findings));
  byId("checks").replaceChildren(checksTable(state));
  byId("proof-data").replaceChildren(...proofParts(state.bundle, state.signatures).filter(Boolean));
}

/** What was read, as far as it was checked. */
function drawData() {
  const { bundle, list, source } = state;
  const { facts: said, summaries } = bundle;
  const one = summaries.length === 1 ? summaries[0].id : null;
  byId("title").replaceChildren(visible(one ?? counted(summaries.length, "decision")));
  document.title = visible(one === null ? `Evidence bundle: ${counted(summaries.length, "decision")}` : `Evidence bundle: decision ${one}`);
  const systems = [...new Set(summaries.map((summary) => summary.system))];
  byId("under").replaceChildren(visible([systems.length > 3 ? counted(systems.length, "system") : `System ${systems.join(", ")}`, disclosure(said), said === null ? "" : `written by ${said.build}`].filter(Boolean).join(" · ")));
  byId("list").hidden = one !== null;
  document.querySelector('nav a[href="#list"]').hidden = one !== null;
  byId("list-data").replaceChildren(...(one === null ? list.element() : []));
  byId("system-data").replaceChildren(...(source.whole ? drawn(() => systemParts(bundle)) : [el("p.dim", "It is in the ZIP file: choose it above.")]));
  byId("coverage-data").replaceChildren(...drawn(() => coverageParts(bundle.coverage)));
}

function disclosure(said) {
  if (said === null) return "";
  const { classes, roles } = said.disclosure;
  const of = classes.length === 0 ? "" : ` (${classes.join(", ")} alone)`;
  return roles.length === 0 ? "no content is disclosed" : `disclosed: ${roles.map((role) => (role === "*" ? "all content" : named(ROLES, role))).join(", ")}${of}`;
}

/** Shows what the address names: a decision, or a place in it or in a system's life. */
async function follow() {
  const { bundle } = state;
  if (bundle === undefined) return;
  const [, kind, name, at] = /^#(decision|system)=([^/]*)(?:\/(.*))?$/.exec(location.hash) ?? [];
  if (kind !== "system") {
    const wanted = kind === "decision" ? name : state.shown;
    const summary = bundle.summaries.find((summary) => summary.id === wanted) ?? bundle.summaries[0];
    if (summary !== undefined) await show(summary.id);
  }
  if (kind === undefined) return;
  const whose = kind === "system" ? `system${name}` : name;
  const [, what, place] = /^(entry|payload)=(.*)$/.exec(at ?? "") ?? [];
  const anchor = what === undefined ? null : byId(`${what}-${whose}-${place.replace(".", "-")}`);
  const target = anchor?.closest(".timeline > li") ?? byId(kind === "system" ? "system" : "decision");
  document.querySelectorAll(".here").forEach((element) => element.classList.remove("here"));
  if (anchor !== null) target.classList.add("here");
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "start" });
}

/** Parts of the page; where they cannot be drawn, for what they hold is of no known form, that is said in their place. */
function drawn(parts) {
  try {
    return parts();
  } catch (error) {
    return [el("p.blank", `This cannot be shown: ${error.message}.`)];
  }
}

async function show(id) {
  const { bundle, list, source } = state;
  state.shown = id;
  let told = state.told.get(id);
  // From a ZIP file a decision is read, and checked, again when it is looked at.
  if (told === undefined && source.whole) {
    told = await checkDecision(bundle, id, new Findings());
  }
  if (state.shown !== id || state.bundle !== bundle) return;
  list.show(id);
  const absent = [el("p", code(id)), el("p.blank", "This page holds the list alone. Choose the bundle’s ZIP file above to see and check this decision.")];
  byId("decision-data").replaceChildren(...(told === undefined ? absent : drawn(() => decisionParts(told, bundle, id))));
}

/** Shared content by its SHA-256, if it is what its name says. */
async function loadShared(bundle) {
  bundle.shared = new Map();
  for (const sha of bundle.named) {
    const bytes = await bundle.source.read(`shared/${sha}`).catch(() => null);
    if (bytes !== null && hex(await sha256(bytes)) === sha) bundle.shared.set(sha, { bytes });
  }
}

/** Paper gets everything, unfolded: each decision that is in memory, unless they are too many. */
function toPaper(isPaper) {
  const { bundle, list, told } = state;
  if (bundle === undefined) return;
  byId("paper").replaceChildren();
  const all = isPaper && told.size > 1 && told.size <= PRINTED_MAX;
  byId("decision").hidden = all;
  const printed = bundle.summaries.filter(({ id }) => all && told.has(id)).map(({ id }) => [id, told.get(id)]);
  byId("paper").append(...printed.map(([id, one]) => el("section", el("h2", "Decision"), decisionParts(one, bundle, `paper-${id}`))));
  const left = bundle.summaries.length - (all ? told.size : 1);
  byId("not-printed").replaceChildren(isPaper && left > 0 ? `On paper: the decision that was shown; ${counted(left, "decision")} more in the bundle.` : "");
  if (bundle.summaries.length > 1) list.draw(isPaper && list.found.length <= PRINTED_ROWS_MAX);
  if (isPaper) document.querySelectorAll("details:not([open])").forEach((details) => details.setAttribute("open", "print"));
  else document.querySelectorAll('details[open="print"]').forEach((details) => details.removeAttribute("open"));
}

start().catch((error) => {
  byId("progress").hidden = true;
  byId("result").className = "banner bad";
  byId("said").replaceChildren(el("h2", "This page cannot check the bundle"), el("p", `${error.message}. Use verify.py or inferlog verify --bundle.`));
});
