"""The pages of accounts and drafts in a real browser: they ask for nothing, complain of nothing, fit a narrow window and
paper. The pages are those that the Rust tests hold: crates/audit/tests/snapshots."""

import base64
import pathlib
import re
import sys
import tempfile

from chromium import Page, run

SNAPSHOTS = pathlib.Path(__file__).resolve().parents[2] / "crates/audit/tests/snapshots"
PAGES = [SNAPSHOTS / "account_html__account.snap.html", SNAPSHOTS / "account_explain__explain.snap.html"]

FAULTY = """<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><div style="width:2000px">wide</div>
<img src="http://127.0.0.1:9/x.png"><script>console.error("one"); throw new Error("two")</script></body></html>"""

# Luminance contrast of every element that holds text of its own against the nearest opaque ground (WCAG 2.2, 1.4.3).
CONTRASTS = """(() => {
  const parse = text => { const n = (text.match(/[\\d.]+/g) || []).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = element => { for (let at = element; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('svg') || ![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
})()"""


def test_the_browser_sees_faults(browser):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "faulty.html")
        path.write_text(FAULTY)
        page = Page(browser, path, width=360)
        assert len(page.complaints()) >= 3, page.complaints()
        assert page.requests() == ["http://127.0.0.1:9/x.png"], page.requests()
        assert page.overflow() > 1_000


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser):
    for path in PAGES:
        for scheme in ["light", "dark"]:
            page = Page(browser, path, scheme=scheme)
            assert page.complaints() == [], page.complaints()
            assert page.requests() == [], page.requests()
            assert page.evaluate("document.querySelectorAll('h2').length") > 5


def test_the_content_policy_is_in_force(browser):
    for path in PAGES:
        page = Page(browser, path)
        page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))")
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        page.evaluate("new Promise(done => setTimeout(done, 150))")
        assert page.evaluate("window.ran") is None
        blocked = [event for event in page.seen("Log.entryAdded", "Runtime.consoleAPICalled") if "Content Security Policy" in str(event)]
        assert len(blocked) >= 2, page.complaints()


def test_no_window_is_too_narrow(browser):
    for path in PAGES:
        for width in [320, 360, 414, 768, 1_180, 2_560]:
            page = Page(browser, path, width=width)
            assert page.overflow() <= 0, f"{path.name} at {width}: {page.overflow()} pixels too wide"


def test_light_and_dark_can_be_read(browser):
    for path in PAGES:
        grounds = []
        for scheme in ["light", "dark"]:
            page = Page(browser, path, scheme=scheme)
            grounds.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
            low = page.evaluate(CONTRASTS)
            assert low == [], f"{path.name}, {scheme}: {low}"
        assert grounds[0] == "rgb(255, 255, 255)" and grounds[1] != grounds[0], grounds


def test_links_lead_somewhere(browser):
    for path in PAGES:
        page = Page(browser, path)
        lost = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')).filter(h => !h.startsWith('#') || !document.getElementById(h.slice(1)))")
        assert lost == [], lost


def test_paper_shows_everything_on_white(browser):
    for path in PAGES:
        page = Page(browser, path, scheme="dark", media="print")
        hidden = page.evaluate("[...document.querySelectorAll('details > pre')].filter(pre => pre.getBoundingClientRect().height < 10).length")
        assert hidden == 0, f"{hidden} folded contents are not printed"
        grounds = page.evaluate("[...new Set([...document.querySelectorAll(':not(i)')].map(e => getComputedStyle(e).backgroundColor).filter(c => !c.startsWith('rgba')))]")
        assert grounds == ["rgb(255, 255, 255)"], grounds
        pdf = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
        sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
        assert pdf.startswith(b"%PDF-") and len(pdf) > 20_000 and sheets >= 2, (len(pdf), sheets)


if __name__ == "__main__":
    sys.exit(run(globals(), []))
