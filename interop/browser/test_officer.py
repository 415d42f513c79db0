"""The compliance officer's pages in a real browser: the certificate of an erasure, the incident sheet, what a person is given. The
pages are those that crates/audit/tests/officer_pages.rs holds. With a folder as the only argument it draws them there instead, to be
looked at."""

import base64
import pathlib
import re
import sys

from chromium import Chromium, Page, run
from test_pages import CONTRASTS, SNAPSHOTS

PAGES = sorted(SNAPSHOTS.glob("officer_pages__*.snap.html"))


def test_the_pages_are_there(_):
    assert len(PAGES) == 5, PAGES


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser):
    for path in PAGES:
        for scheme in ["light", "dark"]:
            page = Page(browser, path, scheme=scheme)
            assert page.complaints() == [], page.complaints()
            assert page.requests() == [], page.requests()
            assert page.evaluate("document.querySelectorAll('script').length") == 0


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


def test_paper_shows_everything_on_white(browser):
    for path in PAGES:
        page = Page(browser, path, scheme="dark", media="print")
        grounds = page.evaluate("[...new Set([...document.querySelectorAll(':not(i)')].map(e => getComputedStyle(e).backgroundColor).filter(c => !c.startsWith('rgba')))]")
        assert grounds == ["rgb(255, 255, 255)"], (path.name, grounds)
        pdf = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
        sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
        assert pdf.startswith(b"%PDF-") and 1 <= sheets <= 4, (path.name, len(pdf), sheets)


def draw(folder):
    """Each page as it is seen: light, dark, narrow, and as a PDF."""
    with Chromium() as browser:
        for path in PAGES:
            name = path.name.removeprefix("officer_pages__").removesuffix(".snap.html")
            for kind, width, scheme in [("light", 1_000, "light"), ("dark", 1_000, "dark"), ("narrow", 360, "light")]:
                page = Page(browser, path, width=width, scheme=scheme)
                drawn = page.call("Page.captureScreenshot", captureBeyondViewport=True)
                (folder / f"{name}-{kind}.png").write_bytes(base64.b64decode(drawn["data"]))
            page = Page(browser, path)
            pdf = page.call("Page.printToPDF", preferCSSPageSize=True)["data"]
            (folder / f"{name}.pdf").write_bytes(base64.b64decode(pdf))


if __name__ == "__main__":
    if len(sys.argv) > 1 and pathlib.Path(sys.argv[1]).is_dir():
        sys.exit(draw(pathlib.Path(sys.argv[1])))
    sys.exit(run(globals(), sys.argv[1:]))
