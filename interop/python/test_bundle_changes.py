"""A bundle changed in every file and in every kind of member, by somebody without keys and by the log itself: `inferlog verify`
and verify.py find the same faults in the same files. The page is made again by the first alone."""

import json
import random
import struct
import zipfile

import pytest

from bundles import PAGE, Bundle, NoteKey, by_python, by_rust

# What a log that signs a bundle may say or leave out, and nothing in the bundle contradicts it; nobody else can, without its key.
FREE = {"bundle.json: build", "logs: entries", "sealed: sealed"}


@pytest.fixture(scope="module")
def whole(evidence):
    return Bundle.read(evidence.bundles["all"])


@pytest.fixture
def verdicts(tmp_path):
    def verdicts(bundle):
        """What both say of it. They name the same checks and files, but for what only inferlog can look for: whether the page is
        made of the other files, and whether sealed content opens to what is disclosed."""
        path = bundle.pack(tmp_path / "changed.zip")
        rust, python = by_rust(path), by_python(path)
        only_rust, only_python = rust.faults - python.faults, python.faults - rust.faults
        assert not only_python and {check for check, _ in only_rust - {PAGE}} <= {"sealed"}, (rust, python)
        return rust, python

    return verdicts


def a_log_like(bundle):
    """The key of a log of the same origin, which sealed content is bound to."""
    return NoteKey(bundle.json("bundle.json")["logs"][0]["origin"])


def test_a_changed_byte_anywhere_is_found_in_its_file(whole, verdicts):
    for path, content in whole.items():
        for at in {0, len(content) // 2, len(content) - 1}:
            bundle, changed = whole.copy(), bytearray(content)
            changed[at] ^= 1
            bundle[path] = bytes(changed)
            rust, python = verdicts(bundle)
            own = {"manifest": "manifest", "report.note": "report", "SHA256SUMS": "files"}
            expected = ("report", "report.note") if path == "report.html" else (own.get(path, "files"), path)
            if path == "SHA256SUMS":
                expected = ("manifest", "manifest")
            assert expected in python.faults, (path, at, rust)


def test_a_file_that_is_missing_or_added_is_named(whole, verdicts):
    for path in whole:
        bundle = whole.copy()
        del bundle[path]
        rust, python = verdicts(bundle)
        assert path in {file for _, file in python.faults}, (path, rust)
        if path != "SHA256SUMS":
            assert verdicts(bundle.resum())[1].status == 1, path
    for path in "more.txt", "logs/1/keys", "decisions/more.json", "openings/00000000-0000-7000-8000-000000000000.json":
        bundle = whole.copy()
        bundle[path] = b"{}\n"
        assert ("files", path) in verdicts(bundle)[1].faults
        assert path in {file for _, file in verdicts(bundle.resum())[1].faults} | {"openings/" + path}


def members(value, at=()):
    """Where each member of a JSON value stands, and its name, which is one for all items of a list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*at, name)
            yield from members(inner, (*at, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield (*at, number)
            yield from members(inner, (*at, number))


def classes(bundle, path):
    """One place of each kind in a JSON file: the members of the file, and those of the entries that it holds as text."""
    told, seen = bundle.json(path), {}
    for at in members(told):
        seen.setdefault(".".join("*" if isinstance(step, int) else step for step in at), (at, None))
    for number, entry in enumerate(told.get("entries", [])):
        parsed = json.loads(entry["entry"])
        kinds = [event["kind"] for event in parsed["events"]]
        for at in members(parsed):
            kind = kinds[at[1]] if len(at) > 1 and at[0] == "events" else "entry"
            name = f"{kind}: " + ".".join("*" if isinstance(step, int) else step for step in at)
            seen.setdefault(name, (("entries", number, "entry"), at))
    return seen


def changed(value, random):
    """Another value of the same type and length: the least that could go unseen."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        places = [at for at, letter in enumerate(value) if letter.isalnum()]
        if not places:
            return value + "x"
        at = random.choice(places)
        other = {"9": "8", "f": "e", "z": "y", "Z": "Y"}.get(value[at], chr(ord(value[at]) + 1) if value[at].isascii() else "x")
        return value[:at] + (other if other.isalnum() else "a") + value[at + 1 :]
    if isinstance(value, list):
        return value[1:] if value else ["x"]
    return {**value, "x": 1}


def with_change(bundle, path, at, inner, change):
    """The bundle with the value at one place changed; inside an entry's text, with the text written anew."""
    told = bundle.json(path)
    if inner is None:
        replace(told, at, change)
    else:
        entry = json.loads(lookup(told, at))
        replace(entry, inner, change)
        replace(told, at, lambda _: json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
    bundle = bundle.copy()
    bundle.put(path, told)
    return bundle


def lookup(value, at):
    for step in at:
        value = value[step]
    return value


def replace(value, at, change):
    parent = lookup(value, at[:-1])
    parent[at[-1]] = change(parent[at[-1]])


def json_files(bundle):
    """Each JSON file but coverage.json, whose members nothing checks; of the decisions' files those of the richest ones."""
    files = [path for path in bundle if path.endswith(".json") and path != "coverage.json"]
    for folder in "decisions/", "openings/", "sealed/":
        largest = sorted(bundle.under(folder), key=lambda path: len(bundle[path]))[-2:]
        files = [path for path in files if not path.startswith(folder) or path in largest]
    return files


def test_each_kind_of_member_is_bound(whole, verdicts):
    """Changed by somebody who makes list and statements anew without a key; and by the log, whose signature covers the change."""
    log, source, told = a_log_like(whole), random.Random(1), {}
    own = whole.copy().relog(log)
    assert verdicts(own)[1].status == 0, verdicts(own)
    for path in json_files(whole):
        folder = path.split("/")[0] if "/" in path else path
        for name, (at, inner) in classes(whole, path).items():
            if f"{folder}: {name}" in told:
                continue
            without_key = with_change(whole, path, at, inner, lambda value: changed(value, source)).resum()
            _, python = verdicts(without_key)
            assert ("manifest", "manifest") in python.faults, (path, name)
            by_the_log = with_change(own, path, at, inner, lambda value: changed(value, source)).resign(log)
            _, python = verdicts(by_the_log)
            told[f"{folder}: {name}"] = {check for check, _ in python.faults}
    assert len(told) > 300
    assert {name for name, checks in told.items() if not checks} == FREE


def test_json_that_two_readers_could_take_differently_is_refused(whole, verdicts):
    log = a_log_like(whole)
    own = whole.copy().relog(log)
    decision, opening = own.under("decisions/")[0], own.under("openings/")[0]
    twice = [
        ("bundle.json", b'"format":1', b'"format":2,"format":1', "files"),
        ("bundle.json", b'"format":1', b'"format":1,"more":1', "files"),
        ("bundle.json", b'"format":1', b'"format":1e0', "files"),
        ("bundle.json", b'"format":1', b'"format":NaN', "files"),
        ("bundle.json", b'"format":1', b'"format":"1"', "files"),
        ("bundle.json", b'"format":1', b'"format":true', "files"),
        ("bundle.json", b'"format":1', b'"format":1' + b"0" * 400, "files"),
        ("bundle.json", b'"format":1', b'"format":' + b"[" * 100_000, "files"),
        ("decisions.json", b'"entries":', b'"entries":9,"entries":', "summary"),
        ("decisions.json", b'"entries":', b'"more":9,"entries":', "summary"),
        (decision, b'"index":', b'"index":18446744073709551616,"index":', "entries"),
        (decision, b'"index":', b'"index":-', "entries"),
        (decision, b'"log":0', b'"log":null', "entries"),
        (decision, b'{"decision":"', b'{"decision":"\\ud800', "entries"),
        (opening, b'"data_key":"', b'"data_key":"00","data_key":"', "openings"),
        (opening, b"{", b"\xff{", "openings"),
        (opening, b"{", b"\xef\xbb\xbf{", "openings"),
    ]
    for path, old, new, check in twice:
        bundle = own.copy()
        assert old in bundle[path], (path, old)
        bundle[path] = bundle[path].replace(old, new, 1)
        _, python = verdicts(bundle.resign(log))
        assert (check, path) in python.faults, (path, new[:40], python)


def hostile(whole, folder):
    """Archives that two programs could unpack in two ways, or that are no bundle at all."""
    name = folder / "hostile.zip"
    whole.pack(name)
    good = name.read_bytes()
    directory = good.index(b"PK\1\2")
    yield "nothing", b""
    yield "no archive", b"PK" * 100
    yield "cut off", good[:-30]
    yield "cut in the middle", good[: len(good) // 2]
    yield "encrypted", good[: directory + 8] + b"\1" + good[directory + 9 :]
    yield "another way of compression", good[: directory + 10] + b"\x0c" + good[directory + 11 :]
    for bad in "../up", "/root", "a//b", "./a", "a\\b", "C:a", "caf\u00e9", "a b", "x" * 300, "\x1b[31m":
        with zipfile.ZipFile(whole.pack(name), "a") as packed:
            packed.writestr(bad, b"x")
        yield f"a file named {bad!r}", name.read_bytes()
    with zipfile.ZipFile(whole.pack(name), "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("README.txt", b"another")
    yield "a name twice", name.read_bytes()
    with zipfile.ZipFile(whole.pack(name), "a") as packed:
        packed.writestr("bomb", b"\0" * (1 << 20), zipfile.ZIP_DEFLATED)
    bomb = bytearray(name.read_bytes())
    at = bomb.rindex(b"PK\1\2")
    bomb[at + 24 : at + 28] = struct.pack("<I", 0xF000_0000)
    yield "a file that claims to be gigabytes", bytes(bomb)


def test_hostile_archives_are_refused(whole, tmp_path):
    for what, content in hostile(whole, tmp_path):
        (tmp_path / "given.zip").write_bytes(content)
        for check in by_rust, by_python:
            verdict = check(tmp_path / "given.zip")
            assert (verdict.status, list(verdict.told)) == (1, ["ok", "refused"]), (what, check.__name__, verdict)
            assert not verdict.error
    for check in by_rust, by_python:
        assert check(tmp_path / "absent.zip").status == 2


def test_a_damaged_member_is_found(whole, tmp_path):
    """Bytes of the archive changed, so that members do not inflate, or not to what the archive says."""
    name = whole.pack(tmp_path / "good.zip")
    good, source = name.read_bytes(), random.Random(2)
    for _ in range(60):
        bad = bytearray(good)
        bad[source.randrange(len(good))] ^= 1 << source.randrange(8)
        (tmp_path / "bad.zip").write_bytes(bad)
        rust, python = by_rust(tmp_path / "bad.zip"), by_python(tmp_path / "bad.zip")
        for verdict in rust, python:
            assert "Traceback" not in verdict.error
        # Times, modes and attributes mean nothing: then the files are as they were.
        if 0 in (rust.status, python.status):
            with zipfile.ZipFile(tmp_path / "bad.zip") as packed:
                assert {member.filename: packed.read(member) for member in packed.infolist()} == dict(whole)
