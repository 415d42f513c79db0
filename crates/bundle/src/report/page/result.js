// The result: one banner, the checks, what failed and where.

/** What the checks come to. Green takes no fault, every file read, and a key that the reader holds. */
function verdictOf({ findings, bundle, signatures, ability, complete }) {
  const faults = findings.faults.length + findings.more;
  if (faults > 0) return { tone: "bad", title: `This bundle does not check: ${counted(faults, "fault")}`, why: ["What failed is listed below, with its place. What else is shown may be right, but the bundle as a whole is not what was made."] };
  const why = [];
  if (!ability.ed25519) why.push("This browser does not verify Ed25519 signatures: nothing here says who made the bundle. Use a newer browser, verify.py or inferlog.");
  else if (!signatures.byReader) why.push(ownWord(signatures));
  if (!complete) why.push("This page holds the list of decisions, not the decisions: choose the bundle’s ZIP file below to check all of it.");
  if (why.length > 0) return { tone: "caution", title: complete ? "No fault found, but not by a key that you hold" : "No fault found in the list; its decisions are not checked yet", why };
  return { tone: "good", title: "Everything in this bundle checks", why: [`${counted(bundle.summaries.length, "decision")}: files, entries and proofs hold under a checkpoint that the key you gave has signed.`] };
}

/** Whose signatures were checked by nothing but the bundle's own word. */
function ownWord({ logs }) {
  const left = logs.filter((log) => !log.byReader).map(({ log }) => log.origin);
  const whose = left.length === logs.length ? "The signatures were" : `The signatures of ${left.join(", ")} were`;
  return `${whose} checked against the key that the bundle brings, which is its own word. Paste the key that you hold: that you were given by another way.`;
}

function bannerParts(state) {
  const { title, tone: stands, why } = verdictOf(state);
  const checked = state.findings.done.entries ?? 0;
  const counts = [counted(checked, "entry"), `${counted(state.findings.done.openings ?? 0, "disclosed content")}`, counted(state.findings.done.files ?? 0, "file")];
  return {
    tone: stands,
    parts: [
      el("h2", el("i", { "aria-hidden": "true" }, SIGNS[stands]), " ", title),
      why.map((text) => el("p", text)),
      el("p.dim", `Checked: ${counts.join(", ")}${state.source.zip ? ", from the ZIP file" : ", as they lie in this page"}. ${moment(state.time)} by this computer’s clock.`),
    ],
  };
}

/** Every check with how it stands, one a row. */
function checksTable({ findings, ability, source }) {
  const rows = Object.entries(CHECKS).filter(([check]) => check !== "report" || source.zip).map(([check, [name, asks]]) => {
    const stands = standing(findings, check);
    const faults = findings.faults.filter((fault) => fault.check === check).length;
    const done = findings.done[check] ?? 0;
    const words = { bad: counted(faults, "fault"), caution: done > 0 ? "in part" : "not checked", good: grouped(done), plain: "none there" }[stands];
    const whys = [...(findings.skipped[check] ?? [])];
    const limit = check === "timestamps" && done > 0 ? "Not that the authority signed them: that takes its certificates." : null;
    return el("tr", el("th", { scope: "row" }, name), el("td", asks, [...whys, limit].filter(Boolean).map((why) => el("div.dim", why))), el("td", pill(stands, words)));
  });
  return el("table.checks", el("thead", el("tr", ["Check", "What it asks", "Result"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", rows));
}

/** Faults as the page lists them, at most. */
const LISTED_MAX = 100;

function faultList({ faults, more }) {
  if (faults.length === 0) return [];
  const item = ({ check, file, what, place }) => {
    const at = [place.index === undefined ? null : `entry ${grouped(place.index)}`, place.payload === undefined ? null : `payload ${place.payload}`].filter(Boolean).join(", ");
    return el("li", pill("bad", CHECKS[check][0]), " ", code(file), at === "" ? null : ` · ${at}`, el("p", what, " ", wayTo(file, place)));
  };
  const rest = faults.length - LISTED_MAX + more;
  return [el("h3", "What failed"), el("ol.faults", faults.slice(0, LISTED_MAX).map(item)), rest > 0 ? el("p.dim", `And ${counted(rest, "fault")} more.`) : null];
}

/** A link to where the fault is, where there is such a place on the page. */
function wayTo(file, place) {
  const kind = kindOfFile(file);
  const decision = kind?.decision ?? place.decision;
  if (decision !== undefined) return linkTo({ ...place, decision }, "Show it");
  if (kind?.kind === "log" && ["system.json", "openings.json"].includes(kind.rest)) return linkTo({ ...place, system: kind.log }, "Show it");
  return kind?.kind === "log" ? el("a", { href: "#proof" }, "Show it") : null;
}

function noticeList({ notices }) {
  if (notices.size === 0) return [];
  const all = [...notices].map(([what, times]) => (times > 1 ? `${what} (${grouped(times)} times)` : what));
  return [folded(`${counted(all.length, "notice")}: no fault, but to be known`, el("ul", all.slice(0, LISTED_MAX).map((what) => el("li", what))), all.length > LISTED_MAX ? el("p.dim", `And ${grouped(all.length - LISTED_MAX)} more.`) : null)];
}
