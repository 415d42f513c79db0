"""The page in a bundle, in a real browser, opened as its reader opens it: a file. The page is the one that crates/bundle makes
(cargo test -p inferlog-bundle --test report writes it); the bundles are written here, from the format's own description."""

import base64
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import zipfile

import scenes
from bundle_page import EMPTY, FOLDER, RESULT, ROOT, TARGET, choose, embedded, paste, quiet, result, until, written
from bundles import OTHER_SEED, WITNESS, WITNESS_SEED, into_page, into_zip, seal, vkey
from chromium import Page, run
from damage import signed, unsigned
from test_pages import CONTRASTS

LOG, DECISIONS = scenes.credit()
GOOD = seal(LOG.files(coverage=scenes.COVERAGE))
OVERVIEW = re.compile(r"SHA256SUMS|manifest|bundle\.json|decisions\.json|coverage\.json|logs/\d+/(checkpoint|keys|timestamps/.*)")
MANY = 10_000


def test_green_takes_the_readers_key(browser):
    page = Page(browser, written("good.html", GOOD))
    found = result(page)
    assert found["tone"] == "caution" and "its own word" in found["said"] and found["faults"] == [], found
    found = paste(page, vkey())
    assert found["tone"] == "good" and found["title"] == "✓ Everything in this bundle checks", found
    assert "13 entries" in found["said"] and "8 disclosed contents" in found["said"], found
    found = paste(page, vkey(seed=OTHER_SEED))
    assert found["tone"] == "bad" and {"Manifest", "Checkpoint"} == {check for check, *_ in found["faults"]}, found
    found = paste(page, vkey("bank.example/other/0/20261122-00000000"))
    assert found["tone"] == "bad" and "nothing in this bundle is of that log" in found["faults"][0][2], found
    quiet(page)


def test_keys_that_are_none_are_refused(browser):
    page = Page(browser, written("good.html", GOOD))
    result(page)
    for text in ["hello", vkey()[:-2], vkey().replace("+", "-", 1), vkey().replace("bank", "tank")]:
        paste(page, text)
        assert page.evaluate("document.querySelector('#keys-said .wrong')?.textContent.startsWith('Line 1: ')"), text
        assert page.evaluate(RESULT)["tone"] == "caution"
        page.evaluate("document.getElementById('keys-said').replaceChildren()")


def test_witnesses_count_by_the_readers_keys(browser):
    page = Page(browser, written("good.html", GOOD))
    result(page)
    proof = "document.getElementById('proof').textContent"
    assert "not checked" in page.evaluate(proof) and WITNESS in page.evaluate(proof)
    assert paste(page, vkey(), vkey(WITNESS, WITNESS_SEED, 4))["tone"] == "good"
    assert "cosigned" in page.evaluate(proof) and "22 November 2026, 06:43:12.000 UTC" in page.evaluate(proof)
    paste(page, vkey(), vkey("witness.example/w2", OTHER_SEED, 4))
    assert "did not sign" in page.evaluate("document.getElementById('faults').textContent")
    assert [check for check, *_ in page.evaluate(RESULT)["faults"]] == ["Cosignatures"]


def test_every_damage_is_noticed_and_named(browser):
    names = {"files": "Files", "manifest": "Manifest", "checkpoint": "Checkpoint", "timestamps": "Timestamps", "entries": "Entries", "openings": "Openings", "sealed": "Sealed bytes", "shared": "Shared content", "summary": "Summary"}
    cases = [(case, False) for case in unsigned(GOOD)] + [(case, True) for case in signed(GOOD, *DECISIONS)]
    missed = []
    for (what, damage, check, file), again in cases:
        files = copy.copy(GOOD)
        damage(files)
        assert files != GOOD, f"{what}: nothing was changed"
        if again:
            seal(files)
        page = Page(browser, written("damaged.html", files))
        result(page)
        found = paste(page, vkey())
        if found["tone"] != "bad" or not any(kind == names[check] and file in [None, where] for kind, where, _ in found["faults"]):
            missed.append((what, check, file, found))
        quiet(page)
        page.call("Page.close")
        browser.events.clear()
    assert missed == [], missed
    print(f"    {len(cases)} kinds of damage", flush=True)


def test_a_fault_leads_to_its_place(browser):
    files = copy.copy(GOOD)
    next(damage for what, damage, *_ in signed(files, *DECISIONS) if what == "disclosed text")(files)
    page = Page(browser, written("damaged.html", seal(files)))
    result(page)
    payload = re.search(r"payload=([0-9a-f-]{36})", page.evaluate("document.querySelector('.faults a').getAttribute('href')"))[1]
    page.evaluate("document.querySelector('.faults a').click()")
    until(page, "document.querySelector('.here') !== null")
    assert page.evaluate(f"document.querySelector('.here').querySelector('[id$={json.dumps(payload)}]') !== null")
    assert "does not hold: it is not shown" in page.evaluate("document.querySelector('.here').textContent")
    assert '{"applicant":{}}' not in page.evaluate("document.querySelector('main').textContent")


def test_what_happened_is_told_in_order_and_in_words(browser):
    page = Page(browser, written("good.html", GOOD))
    result(page)
    steps = "[...document.querySelectorAll('#decision .timeline > li b:first-of-type')].map(b => b.textContent)"
    shown = lambda: page.evaluate("document.getElementById('decision').textContent")  # noqa: E731
    assert page.evaluate(f"{steps}.filter((_, at, all) => ['Request','Model call','Human action','Output','End'].includes(all[at]))") == ["Request", "Model call", "Human action", "Output", "End"]
    assert "What people did" in shown() and "Income was read from the wrong year" in shown() and '"months_employed": 7' in shown()
    page.evaluate(f"location.hash = '#decision={DECISIONS[1]}'")
    until(page, f"document.querySelector('#decision .name')?.textContent === '{DECISIONS[1]}'")
    for words in ["Committed, not disclosed", "that are no text", "has the SHA-256 that the entry names", "a redaction rule leaves it out", "refused: content filtered", "⟨U+202E⟩gnp.exe⟨U+202C⟩", "⟨U+2028⟩"]:
        assert words in shown(), words
    page.evaluate(f"location.hash = '#decision={DECISIONS[2]}'")
    until(page, f"document.querySelector('#decision .name')?.textContent === '{DECISIONS[2]}'")
    assert "Erased afterwards" in shown() and "by the order of event" in shown() and "still open" in shown()
    assert page.evaluate("document.title") != "owned" and page.evaluate("document.images.length + document.scripts.length") == 2
    coverage = page.evaluate("document.getElementById('coverage').textContent")
    assert "A model was asked for by a name that may mean another tomorrow." in coverage and "warning" in coverage, coverage
    assert "Erasure" in page.evaluate("document.getElementById('system').textContent")
    quiet(page)


def test_the_zip_is_checked_here(browser):
    page_text = into_page(EMPTY, GOOD)
    for name, method in [("deflated.zip", zipfile.ZIP_DEFLATED), ("stored.zip", zipfile.ZIP_STORED)]:
        path = pathlib.Path(FOLDER.name, name)
        into_zip(path, GOOD, page_text, method)
        page = Page(browser, written("good.html", GOOD))
        result(page)
        paste(page, vkey())
        choose(page, path)
        found = result(page)
        assert found["tone"] == "good" and "from the ZIP file" in found["said"], found
        quiet(page)
    other = scenes.credit(origin="bank.example/other/0/20261122-00000001")[0]
    for name, files, report, says in [
        ("another bundle", seal(other.files(), name=other.origin), page_text, "another bundle"),
        ("a changed file", {**GOOD, "README.txt": b"believe me"}, page_text, "README.txt"),
        ("a page that its note is not about", GOOD, None, "report.note"),
    ]:
        path = pathlib.Path(FOLDER.name, "bad.zip")
        into_zip(path, files, report or page_text)
        if report is None:
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            members["report.html"] += b" "
            with zipfile.ZipFile(path, "w") as archive:
                [archive.writestr(name, data) for name, data in members.items()]
        page = Page(browser, written("good.html", GOOD))
        result(page)
        choose(page, path)
        found = result(page)
        assert found["tone"] == "bad" and any(says in text for *_, text in found["faults"]), (name, found)
    path.write_bytes(b"PK, or not")
    choose(page, path)
    until(page, "document.querySelector('#zip-said .wrong') !== null")
    assert "not a ZIP file" in page.evaluate("document.getElementById('zip-said').textContent")


def test_the_frozen_bundles(browser):
    """fixtures/v1/bundle: one that is good, its damages with the checks that must see them, archives that no bundle is."""
    frozen = ROOT / "fixtures/v1/bundle"
    keys = [(frozen / name).read_text().strip() for name in ["log.vkey", "witness.vkey"]]
    with zipfile.ZipFile(frozen / "good.zip") as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    mine = written("frozen.html", good)
    page = Page(browser, mine)
    result(page)
    assert paste(page, *keys)["tone"] == "good", page.evaluate(RESULT)
    assert "cosigned" in page.evaluate("document.getElementById('proof').textContent")
    choose(page, frozen / "good.zip")
    assert result(page)["tone"] == "good", page.evaluate(RESULT)
    missed = []
    for expected in sorted((frozen / "corrupt").glob("*.expected")):
        folder = expected.with_suffix("")
        changed = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        lost = [] if changed else [name for name in good if f"no-{name.replace('/', '-')}" == folder.name or f"no-{name.split('/')[0]}" == folder.name][:1]
        files = {name: data for name, data in {**good, **changed}.items() if name not in lost}
        path = pathlib.Path(FOLDER.name, "frozen.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        choose(page, path)
        found = result(page)
        name = (lost or list(changed))[0]
        if found["tone"] != "bad" or not any(name == file or name in text for _, file, text in found["faults"]):
            missed.append((folder.name, name, found))
    assert missed == [], missed
    quiet(page)
    for path in sorted((frozen / "hostile").iterdir()):
        page = Page(browser, mine)
        result(page)
        paste(page, *keys)
        choose(page, path)
        found = result(page)
        assert found["tone"] == "bad" and found["faults"] != [], (path.name, found)
        quiet(page)


def test_a_bundle_that_inferlog_writes(browser):
    folder = pathlib.Path(FOLDER.name)
    root, bundle = ["--root-key", f"file:{folder / 'root.key'}"], folder / "real.zip"

    def inferlog(*arguments):
        done = subprocess.run([TARGET / "debug/inferlog", *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    inferlog("demo", "--once", "--data", folder / "data", *root)
    inferlog("export", "bundle", "--data", folder / "data", *root, "--since", "1d", "--disclose", "*", "--sealed", "--output", bundle)
    key = inferlog("keys", "vkey", "--data", folder / "data", "--system", "credit-scoring").strip()
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    html = folder / "real.html"
    html.write_bytes(files["report.html"])
    page = Page(browser, html)
    assert result(page)["tone"] == "caution"
    assert paste(page, key)["tone"] == "good", page.evaluate(RESULT)
    choose(page, bundle)
    found = result(page)
    assert found["tone"] == "good" and "from the ZIP file" in found["said"], found
    assert page.evaluate("document.querySelectorAll('#decision .timeline > li').length") > 1
    ours = {name: data for name, data in files.items() if name not in ["report.html", "report.note"]}
    assert embedded(files["report.html"].decode()) == embedded(into_page(EMPTY, ours))
    quiet(page)
    for kind in ["decisions/0", "openings/", "sealed/", "shared/", "logs/0/system", "coverage", "bundle.json", "decisions.json", "manifest"]:
        name = next(name for name in ours if name.startswith(kind))
        data = bytearray(ours[name])
        data[len(data) // 2] ^= 1
        page = Page(browser, written("damaged.html", {**ours, name: bytes(data)}))
        result(page)
        found = paste(page, key)
        assert found["tone"] == "bad" and any(file == name for _, file, _ in found["faults"]), (name, found)
        page.call("Page.close")


def test_ten_thousand_decisions(browser):
    files = seal(scenes.many(MANY).files())
    path = written("many.html", {name: data for name, data in files.items() if OVERVIEW.fullmatch(name)}, whole=False)
    archive = pathlib.Path(FOLDER.name, "many.zip")
    into_zip(archive, files, path.read_text())
    began = time.monotonic()
    page = Page(browser, path)
    found = result(page)
    opened = time.monotonic() - began
    assert opened < 3 and found["tone"] == "caution" and "choose the bundle’s ZIP file" in found["said"], (opened, found)
    assert page.evaluate("document.querySelectorAll('.decisions tbody tr').length") == 50
    rows = "document.querySelectorAll('.decisions tbody tr').length"
    page.evaluate("(() => { const find = document.getElementById('find'); find.value = '0000000001f4'; find.dispatchEvent(new Event('input')); })()")
    assert page.evaluate(rows) == 1
    page.evaluate("(() => { const find = document.getElementById('find'); find.value = ''; find.dispatchEvent(new Event('input')); document.getElementById('outcome').value = 'failed'; document.getElementById('outcome').dispatchEvent(new Event('change')); })()")
    assert "104 found of 10,000 decisions" in page.evaluate("document.querySelector('#list [role=status]').textContent")
    paste(page, vkey())
    began = time.monotonic()
    choose(page, archive)
    far = set()
    while page.evaluate("document.getElementById('result').classList.contains('busy')"):
        far.add(page.evaluate("document.getElementById('bar').value"))
        assert time.monotonic() - began < 240, far
        time.sleep(0.05)
    found = page.evaluate(RESULT)
    assert found["tone"] == "good" and "20,001 entries" in found["said"], found
    assert len(far) > 5, far
    heap = page.call("Runtime.getHeapUsage")["usedSize"]
    print(f"    opened in {opened:.2f} s, its ZIP file checked in {time.monotonic() - began:.1f} s, {heap >> 20} MB on the heap", flush=True)
    last = page.evaluate("(() => { document.querySelectorAll('.pager button')[3].click(); const links = document.querySelectorAll('.decisions tbody a'); links[links.length - 1].click(); return links[links.length - 1].textContent; })()")
    until(page, f"document.querySelector('#decision .name')?.textContent === '{last}'")
    quiet(page)


def test_nothing_in_a_bundle_breaks_the_page(browser):
    coverages = [None, {"systems": [{"findings": [None]}]}, {"systems": [{"findings": [{"severity": {}, "says": [], "count": {}}]}]}, {"systems": {}}, [1]]
    for coverage in coverages:
        log = scenes.odd()
        page = Page(browser, written("odd.html", seal(log.files(coverage=coverage))))
        assert result(page)["tone"] == "bad"
        for decision in dict.fromkeys(decision for decision, _ in log.entries if decision and coverage is None):
            page.evaluate(f"location.hash = '#decision={decision}'")
            until(page, f"document.querySelector('#decision .name')?.textContent === '{decision}'")
        for place in ["decision=%E0", "decision=__proto__", "system=__proto__/entry=0.0", "system=0/entry=\"]", "decision=/payload=x"]:
            page.evaluate(f"location.hash = {json.dumps('#' + place)}")
        page.evaluate("new Promise(done => setTimeout(done, 100))")
        assert page.evaluate("({}).polluted") is None
        quiet(page)


def test_what_inferlog_may_write_is_no_fault(browser):
    for name, (log, disclosure) in {"sealed.html": scenes.sealed_and_not_disclosed(), "held.html": scenes.withheld_by_a_hold()}.items():
        page = Page(browser, written(name, seal(log.files(disclosure=disclosure))))
        result(page)
        assert paste(page, vkey())["faults"] == [], name
        quiet(page)


def test_content_can_be_saved(browser):
    page = Page(browser, written("good.html", GOOD))
    result(page)
    with tempfile.TemporaryDirectory() as folder:
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
        page.evaluate("document.querySelector('#decision .save').click()")
        end = time.monotonic() + 20
        while not (saved := [path for path in pathlib.Path(folder).iterdir() if path.suffix == ".bin"]) and time.monotonic() < end:
            time.sleep(0.05)
        assert b"months_employed" in saved[0].read_bytes() or b"approve" in saved[0].read_bytes()
    quiet(page)


def test_no_window_is_too_narrow(browser):
    files = copy.copy(GOOD)
    files["README.txt"] = b"believe me"
    for name, shown in [("good.html", GOOD), ("damaged.html", files)]:
        for width in [320, 360, 414, 768, 1_180, 2_560]:
            page = Page(browser, written(name, shown), width=width)
            result(page)
            for decision in DECISIONS:
                page.evaluate(f"location.hash = '#decision={decision}'")
                until(page, f"document.querySelector('#decision .name')?.textContent === '{decision}'")
                page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
                assert page.overflow() <= 0, f"{name} at {width}: {page.overflow()} pixels too wide"


def test_light_and_dark_can_be_read(browser):
    damaged = {**GOOD, "README.txt": b"believe me"}
    for scheme in ["light", "dark"]:
        for files, keys in [(GOOD, []), (GOOD, [vkey()]), (damaged, [vkey()])]:
            page = Page(browser, written("shades.html", files), scheme=scheme)
            result(page)
            if keys:
                paste(page, *keys)
            page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
            low = page.evaluate(CONTRASTS)
            assert low == [], f"{scheme}: {low}"


def test_it_can_be_used_without_seeing_or_pointing(browser):
    page = Page(browser, written("good.html", GOOD))
    result(page)
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].filter(h => h.offsetParent).map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels
    assert page.evaluate("document.getElementById('said').getAttribute('aria-live')") == "polite"
    assert page.evaluate("[...document.querySelectorAll('input, select, textarea')].filter(field => field.labels.length === 0).length") == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids)), [name for name in ids if ids.count(name) > 1]
    lost = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1)).filter(id => !/^(decision|system)=|^save$/.test(id) && !document.getElementById(id))")
    assert lost == [], lost


def test_paper_gets_everything(browser):
    page = Page(browser, written("good.html", GOOD), scheme="dark")
    result(page)
    paste(page, vkey())
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    text = page.evaluate("document.body.innerText")
    for words in [*DECISIONS, "Everything in this bundle checks", "by this computer’s clock", "Income was read", "It depends on the contract", "Erased afterwards"]:
        assert words in text, words
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    grounds = page.evaluate("[...new Set([...document.querySelectorAll('body *')].map(e => getComputedStyle(e).backgroundColor).filter(c => !c.startsWith('rgba')))]")
    assert grounds in ([], ["rgb(255, 255, 255)"]), grounds
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.getElementById('paper').childElementCount + document.querySelectorAll('details[open]').length") == 0
    pdf = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert pdf.startswith(b"%PDF-") and sheets >= 5, sheets


def test_a_browser_that_cannot_verify_says_so(browser):
    """An old browser: its WebCrypto knows no Ed25519."""
    page = Page(browser, pathlib.Path(written("good.html", GOOD)))
    old = "const had = SubtleCrypto.prototype.importKey; SubtleCrypto.prototype.importKey = function (format, key, how, ...rest) { return how?.name === 'Ed25519' ? Promise.reject(new DOMException('no', 'NotSupportedError')) : had.call(this, format, key, how, ...rest); };"
    page.call("Page.addScriptToEvaluateOnNewDocument", source=old)
    browser.events.clear()
    page.call("Page.reload")
    browser.wait("Page.loadEventFired", page.session)
    found = result(page)
    assert found["tone"] == "caution" and "does not verify Ed25519" in found["said"], found
    page.evaluate(f"(() => {{ const keys = document.getElementById('keys'); keys.value = '{vkey()}'; keys.dispatchEvent(new Event('input')); }})()")
    until(page, "document.getElementById('keys-said').textContent.startsWith('Read:')")
    assert page.evaluate(RESULT)["tone"] == "caution"


if __name__ == "__main__":
    sys.exit(run(globals(), sys.argv[1:]))
