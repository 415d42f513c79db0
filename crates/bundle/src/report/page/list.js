// The list of decisions: a page of it at a time, however many there are; found by id, time, outcome, system.

const ROWS = 50;

class DecisionList {
  constructor(summaries) {
    this.summaries = summaries;
    this.found = summaries;
    this.page = 0;
    this.standing = new Map();
    this.wanted = { words: [], outcome: "" };
    this.isOfOne = new Set(summaries.map((summary) => summary.system)).size === 1;
    this.body = el("tbody");
    this.said = el("p.dim", { role: "status" });
    this.pager = el("p.pager");
  }

  /** What is shown where there is more than one decision. */
  element() {
    const outcomes = [...new Set(this.summaries.map((summary) => summary.outcome ?? "open"))].sort();
    const words = el("input", { type: "search", id: "find", autocomplete: "off", spellcheck: "false", placeholder: "part of an id, a time as 2026-11-22T09, a system" });
    const outcome = el("select", { id: "outcome" }, el("option", { value: "" }, "any"), outcomes.map((name) => el("option", { value: name }, spaced(name))));
    const find = () => this.find(words.value, outcome.value);
    words.addEventListener("input", find);
    outcome.addEventListener("change", find);
    const heads = ["Logged at", "Decision", ...(this.isOfOne ? [] : ["System"]), "Outcome", "#Entries", "#Disclosed", "Checked"];
    const head = el("thead", el("tr", heads.map((name) => el(name.startsWith("#") ? "th.num" : "th", { scope: "col" }, name.replace("#", "")))));
    this.draw();
    return [
      el("div.find", el("label", { for: "find" }, "Find"), words, el("label", { for: "outcome" }, "Outcome"), outcome),
      this.said,
      el("table.decisions", head, this.body),
      this.pager,
    ];
  }

  find(text, outcome) {
    this.wanted = { words: text.toLowerCase().split(/\s+/).filter(Boolean), outcome };
    const has = ({ id, logged_at: time, outcome: ended = "open", system }) =>
      (outcome === "" || ended === outcome) && this.wanted.words.every((word) => `${id} ${time} ${moment(time)} ${ended} ${system}`.toLowerCase().includes(word));
    this.found = this.summaries.filter(has);
    this.page = 0;
    this.draw();
  }

  /** Draws the rows of this page, or all of them for paper. */
  draw(all = false) {
    const pages = Math.max(1, Math.ceil(this.found.length / ROWS));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const from = all ? 0 : this.page * ROWS;
    const rows = this.found.slice(from, all ? this.found.length : from + ROWS);
    this.body.replaceChildren(...rows.map((summary) => this.row(summary)));
    const to = from + rows.length;
    const of = this.found.length === this.summaries.length ? counted(this.found.length, "decision") : `${grouped(this.found.length)} found of ${counted(this.summaries.length, "decision")}`;
    this.said.replaceChildren(rows.length === 0 ? `Nothing found among ${counted(this.summaries.length, "decision")}.` : `${grouped(from + 1)} to ${grouped(to)} of ${of}, in the order of their ids.`);
    this.pager.replaceChildren(...(pages > 1 && !all ? this.buttons(pages) : []));
  }

  buttons(pages) {
    const button = (words, page) => {
      const made = el("button", { type: "button", ...(page < 0 || page >= pages || page === this.page ? { disabled: "" } : {}) }, words);
      made.addEventListener("click", () => {
        this.page = page;
        this.draw();
        this.pager.querySelector("button:not([disabled])")?.focus();
      });
      return made;
    };
    return [button("First", 0), button("Previous", this.page - 1), el("span", `Page ${grouped(this.page + 1)} of ${grouped(pages)}`), button("Next", this.page + 1), button("Last", pages - 1)];
  }

  row(summary) {
    const { disclosed, entries, id, logged_at: time, outcome, payloads, system } = summary;
    const cell = (name, kind, ...content) => el(`td${kind}`, { "data-name": name }, ...content);
    const current = id === this.current ? { "aria-current": "true" } : {};
    return el(
      "tr",
      current,
      cell("Logged at", ".when", moment(time)),
      cell("Decision", ".id", linkTo({ decision: id }, code(id))),
      this.isOfOne ? null : cell("System", "", system),
      cell("Outcome", "", pill(tone(outcome), spaced(outcome ?? "open"))),
      cell("Entries", ".num", grouped(entries)),
      cell("Disclosed", ".num", `${grouped(disclosed)} of ${grouped(payloads)}`),
      cell("Checked", "", this.mark(id)),
    );
  }

  mark(id) {
    const stands = this.standing.get(id);
    if (stands === undefined) return el("span.dim", "not yet");
    return stands ? el("span.right", "✓ holds") : el("span.wrong", "✕ fails");
  }

  /** Where a decision is in the list: its page is shown. */
  show(id) {
    this.current = id;
    const at = this.found.findIndex((summary) => summary.id === id);
    if (at >= 0) this.page = Math.floor(at / ROWS);
    this.draw();
  }
}
