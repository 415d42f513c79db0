"""The page in a bundle as its tests use it: written, opened, given keys and ZIP files, asked what it says."""

import json
import os
import pathlib
import tempfile
import time

from bundles import into_page

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EMPTY = (TARGET / "tmp/report/empty.html").read_text()
FOLDER = tempfile.TemporaryDirectory()

RESULT = """(() => {
  const text = element => element?.textContent.trim().replace(/\\s+/g, ' ') ?? '';
  return { tone: document.getElementById('result').className.replace('banner ', ''), title: text(document.querySelector('#said h2')), said: text(document.getElementById('said')),
    faults: [...document.querySelectorAll('.faults > li')].map(li => [text(li.querySelector('.pill')).slice(2), text(li.querySelector('code')), text(li)]) };
})()"""


def written(name, files, whole=True):
    path = pathlib.Path(FOLDER.name, name)
    path.write_text(into_page(EMPTY, files, whole))
    return path


def until(page, expression, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = page.evaluate(expression)
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{expression}: {page.evaluate('document.body.innerText.slice(0, 600)')}")


def result(page, seconds=60):
    until(page, "!document.getElementById('result').classList.contains('busy')", seconds)
    return page.evaluate(RESULT)


def paste(page, *keys):
    """Pastes keys, and waits until the page has said what it read."""
    before = page.evaluate("document.getElementById('said').textContent")
    page.evaluate(f"(() => {{ const keys = document.getElementById('keys'); keys.value = {json.dumps(chr(10).join(keys))}; keys.dispatchEvent(new Event('input')); }})()")
    until(page, f"document.getElementById('said').textContent !== {json.dumps(before)} || document.querySelector('#keys-said .wrong') !== null")
    return page.evaluate(RESULT)


def choose(page, path):
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#zip")["nodeId"]
    page.evaluate("document.getElementById('result').classList.add('busy')")
    page.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def quiet(page):
    assert page.complaints() == [], page.complaints()
    assert page.requests() == [], page.requests()


def embedded(page):
    """The files in a page."""
    return json.loads(page.partition('<script type="application/json" id="bundle">')[2].partition("</script>")[0])
