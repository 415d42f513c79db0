// Making elements. Text is only ever put in as text: nothing of a bundle is read as markup.

/** Characters that show nothing and may change how the text around them is read; they are named instead. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\u{e0000}-\u{e0fff}]/gu;

/** Text in which all that is there can be seen. */
const visible = (text) =>
  String(text).replaceAll("\r\n", "\n").replace(HIDDEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

/** An element: `el("p.dim", "text", …)`, with attributes in an object. */
function el(name, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === "") continue;
    if (child instanceof Node) element.append(child);
    else if (typeof child === "object") Object.entries(child).forEach(([attribute, value]) => value !== undefined && element.setAttribute(attribute, value));
    else element.append(document.createTextNode(visible(child)));
  }
  return element;
}

const byId = (id) => document.getElementById(id);

const SIGNS = { good: "✓", bad: "✕", caution: "▲", human: "◆", plain: "·" };

/** A mark that says how something stands: by shape, colour and words. */
const pill = (tone, words) => el(`span.pill.${tone}`, el("i", { "aria-hidden": "true" }, SIGNS[tone]), " ", words);

const code = (text) => el("code", text);

/** Names and values, without those that have no value. */
function facts(rows) {
  const there = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return there.length === 0 ? null : el("dl.facts", there.map(([name, value, wide]) => el(wide ? "div.wide" : "div", el("dt", name), el("dd", value))));
}

function table(kind, heads, rows) {
  const head = heads.map((name) => el(name.startsWith("#") ? "th.num" : "th", { scope: "col" }, name.replace("#", "")));
  return el("div.scroll", { tabindex: "0", role: "group", "aria-label": kind }, el(`table.${kind}`, el("thead", el("tr", head)), el("tbody", rows)));
}

/** Something long, folded. */
const folded = (summary, ...content) => el("details", el("summary", summary), ...content);

/** Where an entry, a payload or a decision is shown. */
function linkTo(place, words) {
  const where = place.decision === undefined ? `system=${place.system}` : `decision=${place.decision}`;
  const at = place.payload !== undefined ? `/payload=${place.payload}` : place.index !== undefined ? `/entry=${place.log}.${place.index}` : "";
  return el("a", { href: `#${where}${at}` }, words);
}

/** Lets the browser draw and answer before work goes on. */
const breathe = () => new Promise((resume) => setTimeout(resume, 0));
