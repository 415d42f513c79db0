"""Ways to damage a bundle: what is changed, whether the log's own key signs it again, and which check must notice in which
file. Signed again, only the check that the damage is made for can see it."""

import base64
import json

from bundles import OTHER_SEED, b64, canonical, file_json, note, seal, sha, timestamp, vkey

CHECKPOINT, KEYS, STAMP, SYSTEM = "logs/0/checkpoint", "logs/0/keys", "logs/0/timestamps/0.tsr", "logs/0/system.json"


def edit(path, change):
    """Changes a JSON file in place."""

    def damage(files):
        value = json.loads(files[path])
        change(value)
        files[path] = file_json(value)

    return damage


def entry(path, at, change):
    """Changes the JSON of one entry."""

    def inside(value):
        text = json.loads(value["entries"][at]["entry"])
        change(text)
        value["entries"][at]["entry"] = canonical(text)

    return edit(path, inside)


def flip(path, at=0):
    def damage(files):
        data = bytearray(files[path])
        data[at] ^= 1
        files[path] = bytes(data)

    return damage


def put(path, data):
    return lambda files: files.update({path: data})


def drop(path):
    return lambda files: files.pop(path)


def member(*path_and_value):
    """Sets a member, by the way to it."""
    *way, last, new = path_and_value

    def change(value):
        for name in way:
            value = value[name]
        value[last] = new

    return change


def swap(name):
    def change(value):
        value[name][0], value[name][1] = value[name][1], value[name][0]

    return change


def twice(name):
    return lambda value: value[name].insert(1, value[name][0])


def lose(name, at=-1):
    return lambda value: value[name].pop(at)


def bit(name):
    """Changes one bit of what base64 stands for."""

    def change(value):
        data = bytearray(base64.b64decode(value[name]))
        data[0] ^= 1
        value[name] = b64(data)

    return change


def of(name, at, change):
    return lambda value: change(value[name][at])


def resigned_checkpoint(change, **by):
    def damage(files):
        text = files[CHECKPOINT].decode().split("\n\n")[0] + "\n"
        files[CHECKPOINT] = note(change(text), **by)

    return damage


def unsigned(files):
    """What whoever has no key can do: no file is listed or signed again."""
    return [(f"one bit of {path}", flip(path, len(files[path]) // 2), "manifest" if path == "manifest" else "files", path) for path in sorted(files) if path != "SHA256SUMS"] + [
        ("one digit of SHA256SUMS", flip("SHA256SUMS"), "files", None),
        ("a line of SHA256SUMS lost", lambda files: files.update(SHA256SUMS=files["SHA256SUMS"].split(b"\n", 1)[1]), "files", "README.txt"),
        ("SHA256SUMS lost", drop("SHA256SUMS"), "files", "SHA256SUMS"),
        ("the manifest lost", drop("manifest"), "manifest", "manifest"),
        ("a file lost", drop("README.txt"), "files", "README.txt"),
        ("a file more", put("note.txt", b"believe me"), "files", "note.txt"),
        ("the manifest of another bundle", put("manifest", note("inferlog bundle v1\n" + "0" * 64 + "\n")), "manifest", "manifest"),
        ("listed again by somebody else", lambda files: (files.update({"README.txt": b"believe me"}), seal(files, seed=OTHER_SEED)), "manifest", "manifest"),
    ]


def signed(files, scored, researched, forgotten):
    """What whoever has the log's key can do: everything is listed and signed again."""
    first, second, third = (f"decisions/{id}.json" for id in [scored, researched, forgotten])
    opened, parts_opened = f"openings/{scored}.json", f"openings/{researched}.json"
    sealed = f"sealed/{scored}.json"
    shared = next(path for path in files if path.startswith("shared/"))
    erased = json.loads(json.loads(files[third])["entries"][0]["entry"])["events"][0]["payloads"][0]["payload"]
    binary = next(at for at, opening in enumerate(json.loads(files[parts_opened])["openings"]) if "base64" in opening)
    summaries = [("disclosed", 1), ("entries", 9), ("logged_at", "2026-11-22T09:00:00.000000001Z"), ("outcome", "failed"), ("payloads", 9), ("system", "debit")]
    return [
        # Entries.
        ("a clear field", entry(first, 1, member("events", 0, "body", "status", 500)), "entries", first),
        ("a time", entry(first, 0, member("events", 0, "logged_at", "2026-11-22T09:00:00.000000001Z")), "entries", first),
        ("who reviewed", entry(first, 1, member("events", 1, "body", "reviewer", scored)), "entries", first),
        ("a commitment", entry(first, 0, member("events", 0, "payloads", 0, "commitment", "0" * 64)), "entries", first),
        ("a state", entry(first, 0, member("events", 0, "payloads", 0, "state", "erased")), "entries", first),
        ("an entry's spelling", edit(first, lambda value: member("entries", 0, "entry", value["entries"][0]["entry"].replace(":", ": ", 1))(value)), "entries", first),
        ("no JSON", edit(first, member("entries", 0, "entry", "{")), "entries", first),
        ("a member twice", edit(first, lambda value: member("entries", 0, "entry", '{"v":1,' + value["entries"][0]["entry"][1:])(value)), "entries", first),
        ("an index", edit(first, member("entries", 0, "index", 2)), "entries", first),
        ("an index beyond the tree", edit(first, member("entries", 1, "index", 999)), "entries", first),
        ("a log", edit(first, member("entries", 0, "log", 1)), "entries", first),
        ("a hash of a proof", edit(first, lambda value: bit(0)(value["entries"][0]["proof"])), "entries", first),
        ("a proof cut", edit(first, lambda value: value["entries"][0]["proof"].pop()), "entries", first),
        ("a proof lengthened", edit(first, lambda value: value["entries"][0]["proof"].append(b64(bytes(32)))), "entries", first),
        ("entries out of order", edit(first, swap("entries")), "entries", first),
        ("an entry twice", edit(first, twice("entries")), "entries", first),
        ("another decision's name", edit(first, member("decision", researched)), "entries", first),
        ("another decision's entry", lambda files: edit(third, lambda value: value["entries"].insert(0, json.loads(files[first])["entries"][0]))(files), "entries", third),
        ("a part lost", edit(second, lambda value: value["entries"].pop(1)), "entries", second),
        ("an unknown member", edit(first, member("approved", True)), "entries", first),
        ("spaces in JSON", lambda files: files.update({first: files[first].replace(b":", b": ", 1)}), "entries", first),
        ("an entry of the system's life", entry(SYSTEM, 0, member("events", 0, "body", "last_end", "unclean")), "entries", SYSTEM),
        ("a decision's entry in the system's life", lambda files: edit(SYSTEM, lambda value: value["entries"].append(json.loads(files[third])["entries"][0]))(files), "entries", SYSTEM),
        ("a decision's file lost", drop(first), "entries", first),
        # Openings.
        ("disclosed text", edit(opened, of("openings", 0, member("text", '{"applicant":{}}'))), "openings", opened),
        ("disclosed bytes", edit(parts_opened, of("openings", binary, bit("base64"))), "openings", parts_opened),
        ("a data key", edit(opened, of("openings", 0, member("data_key", "00" * 32))), "openings", opened),
        ("another payload", edit(opened, of("openings", 0, member("payload", erased))), "openings", opened),
        ("content twice", edit(opened, twice("openings")), "openings", opened),
        ("both text and base64", edit(opened, of("openings", 0, member("base64", ""))), "openings", opened),
        ("another decision's openings", edit(opened, member("decision", researched)), "openings", opened),
        ("an opening of what was erased", put(f"openings/{forgotten}.json", file_json({"decision": forgotten, "openings": [{"data_key": "00" * 32, "payload": erased, "text": "{}"}]})), "openings", f"openings/{forgotten}.json"),
        # Sealed bytes and shared content.
        ("sealed bytes", edit(sealed, of("sealed", 0, bit("base64"))), "sealed", sealed),
        ("sealed bytes of nothing", edit(sealed, of("sealed", 0, member("payload", erased))), "sealed", sealed),
        ("sealed bytes twice", edit(sealed, twice("sealed")), "sealed", sealed),
        ("shared content", flip(shared), "shared", shared),
        ("shared content that no entry names", put(f"shared/{sha(b'x')}", b"x"), "shared", f"shared/{sha(b'x')}"),
        ("sealed bytes lost", drop(sealed), "sealed", sealed),
        ("sealed bytes that are not said", edit("bundle.json", member("disclosure", "sealed", False)), "sealed", sealed),
        ("roles that are said", edit("bundle.json", member("disclosure", "roles", ["human.*"])), "openings", opened),
        ("classes that are said", edit("bundle.json", member("disclosure", "classes", ["pseudonymous"])), "openings", opened),
        ("no opening", edit(opened, member("openings", [])), "openings", opened),
        ("no entry", edit(first, member("entries", [])), "entries", first),
        ("the system's life lost", drop(SYSTEM), "files", SYSTEM),
        ("the format's description lost", drop("docs/format.md"), "files", "docs/format.md"),
        # The list.
        *[(f"the list's {name}", edit("decisions.json", of("decisions", 0, member(name, value))), "summary", "decisions.json") for name, value in summaries],
        ("a decision not listed", edit("decisions.json", lose("decisions")), "summary", third),
        ("a decision listed twice", edit("decisions.json", twice("decisions")), "summary", "decisions.json"),
        ("decisions out of order", edit("decisions.json", swap("decisions")), "summary", "decisions.json"),
        ("the number of decisions", edit("bundle.json", member("decisions", 4)), "summary", "bundle.json"),
        # The checkpoint and what is said of it.
        ("the origin that is said", edit("bundle.json", member("logs", 0, "origin", "bank.example/other/0/20261122-00000000")), "checkpoint", CHECKPOINT),
        ("the size that is said", edit("bundle.json", member("logs", 0, "size", 7)), "checkpoint", CHECKPOINT),
        ("the root that is said", edit("bundle.json", of("logs", 0, bit("root"))), "checkpoint", CHECKPOINT),
        ("the format", edit("bundle.json", member("format", 2)), "files", "bundle.json"),
        ("an unknown fact", edit("bundle.json", member("verified", True)), "files", "bundle.json"),
        ("timestamps that are said", edit("bundle.json", member("logs", 0, "timestamps", 2)), "timestamps", "logs/0/timestamps/1.tsr"),
        ("a timestamp not said", edit("bundle.json", member("logs", 0, "timestamps", 0)), "timestamps", STAMP),
        ("the checkpoint's text", lambda files: files.update({CHECKPOINT: files[CHECKPOINT].replace(b"\n13\n", b"\n14\n")}), "checkpoint", CHECKPOINT),
        ("the checkpoint's signature", flip(CHECKPOINT, -320), "checkpoint", CHECKPOINT),
        ("a checkpoint signed by another", resigned_checkpoint(lambda text: text, seed=OTHER_SEED), "checkpoint", CHECKPOINT),
        ("the keys of the bundle", put(KEYS, b"no key\n"), "checkpoint", KEYS),
        ("keys of another log", put(KEYS, (vkey("bank.example/other/0/20261122-00000000") + "\n").encode()), "checkpoint", KEYS),
        ("a log twice", edit("bundle.json", twice("logs")), "files", "bundle.json"),
        ("a timestamp of something else", put(STAMP, timestamp("something else\n")), "timestamps", STAMP),
        ("no timestamp at all", put(STAMP, b"0\x03\x02\x01\x00"), "timestamps", STAMP),
        ("a name that has no place", put("decisions/evil.html", b"<script>"), "files", "decisions/evil.html"),
    ]
