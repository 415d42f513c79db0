"""Evidence bundles written by hand from docs/bundle.md and docs/format.md, by nothing but Python's own library: what the page
in a bundle is tested with, and what is damaged and signed again to see which check notices."""

import base64
import functools
import hashlib
import hmac
import json
import zipfile

import ed25519

ORIGIN = "bank.example/credit/0/20261122-0a1b2c3d"
WITNESS = "witness.example/w1"
LOG_SEED, WITNESS_SEED, OTHER_SEED = b"\x07" * 32, b"\x08" * 32, b"\x09" * 32
UNLISTED = ["SHA256SUMS", "manifest", "report.html", "report.note"]


def b64(data):
    return base64.b64encode(data).decode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def file_json(value):
    return (canonical(value) + "\n").encode()


def uuid(number, version=7):
    tail = hashlib.sha256(str(number).encode()).hexdigest()
    return f"0192f3a1-{number % 65536:04x}-{version}{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name=ORIGIN, seed=LOG_SEED, kind=1):
    public = ed25519.public_key(seed)
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}"


def signature(text, name=ORIGIN, seed=LOG_SEED):
    identity = key_id(name, 1, ed25519.public_key(seed))
    return f"— {name} {b64(identity + ed25519.sign(seed, text.encode()))}\n"


def cosignature(text, time, name=WITNESS, seed=WITNESS_SEED):
    identity = key_id(name, 4, ed25519.public_key(seed))
    signed = ed25519.sign(seed, f"cosignature/v1\ntime {time}\n{text}".encode())
    return f"— {name} {b64(identity + time.to_bytes(8, 'big') + signed)}\n"


def note(text, **by):
    return (text + "\n" + signature(text, **by)).encode()


def commitment(data_key, content):
    """docs/format.md, section 5: HKDF-SHA256 without salt (RFC 5869), one block, then HMAC-SHA256."""
    extracted = hmac.digest(b"\0" * 32, data_key, "sha256")
    key = hmac.digest(extracted, b"inferlog/commit/v1\x01", "sha256")
    return hmac.digest(key, content, "sha256").hex()


class Tree:
    """A Merkle tree (RFC 6962, section 2.1)."""

    def __init__(self, entries):
        self.leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
        self.hash = functools.cache(self._hash)

    def _hash(self, low, high):
        if high - low <= 1:
            return self.leaves[low] if high > low else hashlib.sha256().digest()
        middle = low + self._split(high - low)
        return hashlib.sha256(b"\1" + self.hash(low, middle) + self.hash(middle, high)).digest()

    @staticmethod
    def _split(count):
        return 1 << (count - 1).bit_length() - 1

    def root(self):
        return self.hash(0, len(self.leaves))

    def proof(self, index):
        low, high, path = 0, len(self.leaves), []
        while high - low > 1:
            middle = low + self._split(high - low)
            if index < middle:
                path.append(self.hash(middle, high))
                high = middle
            else:
                path.append(self.hash(low, middle))
                low = middle
        return path[::-1]


def der(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    head = bytes([length]) if length < 128 else bytes([0x80 + (length.bit_length() + 7) // 8]) + length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag]) + head + content


def timestamp(text, time="20261122064312Z"):
    """An RFC 3161 response as far as a reader goes that does not check its signature."""
    oid = lambda dotted: der(6, bytes.fromhex(dotted))  # noqa: E731
    imprint = der(0x30, der(0x30, oid("608648016503040201"), der(5)), der(4, hashlib.sha256(text.encode()).digest()))
    info = der(0x30, der(2, b"\1"), oid("2a0304"), imprint, der(2, b"\x2a"), der(0x18, time.encode()))
    content = der(0x30, oid("2a864886f70d0109100104"), der(0xA0, der(4, info)))
    signed = der(0x30, der(2, b"\3"), der(0x31), content, der(0x31))
    return der(0x30, der(0x30, der(2, b"\0")), der(0x30, oid("2a864886f70d010702"), der(0xA0, signed)))


class Log:
    """A log being written, and bundles taken from it."""

    def __init__(self, system="credit", origin=ORIGIN, first_id=1, sealed=True):
        self.system, self.origin, self.is_sealed = system, origin, sealed
        self.entries, self.openings, self.sealed, self.shared = [], {}, {}, {}
        self.numbers, self.clock = first_id, 0

    def id(self):
        self.numbers += 1
        return uuid(self.numbers)

    def time(self, ms=0):
        self.clock += ms
        seconds, rest = divmod(self.clock, 1000)
        return f"2026-11-22T{9 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}000000Z"

    def event(self, kind, body, payloads=(), ms=0, **members):
        event = {"body": body, "id": self.id(), "kind": kind, "logged_at": self.time(ms), "retention": "default", "system": self.system, **members}
        if payloads:
            event["payloads"] = list(payloads)
        return event

    def payload(self, role, content, media_type="application/json", disclose=True, key="1.7", erased=False):
        """A reference to sealed content; what opens it is kept."""
        payload = self.id()
        data_key = hashlib.sha256(f"key {payload}".encode()).digest()
        ciphertext = hashlib.sha512(f"sealed {payload}".encode()).digest() * 4
        if disclose:
            opening = {"data_key": data_key.hex(), "payload": payload}
            try:
                opening["text"] = content.decode()
            except UnicodeDecodeError:
                opening["base64"] = b64(content)
            self.openings[payload] = opening
        if self.is_sealed and not erased:
            self.sealed[payload] = {"base64": b64(ciphertext), "payload": payload}
        return {
            "class": "personal", "commitment": commitment(data_key, content), "encoding": "identity", "key_id": key, "media_type": media_type,
            "payload": payload, "role": role, "sealed": sha(ciphertext), "size": 256, "state": "present",
        }

    def shared_payload(self, role, content, media_type="text/plain"):
        self.shared[sha(content)] = content
        return {"class": "shared", "encoding": "identity", "media_type": media_type, "payload": self.id(), "role": role, "sha256": sha(content), "size": len(content), "state": "present"}

    @staticmethod
    def again(reference, role, event):
        return {"first": event["id"], "payload": reference["payload"], "role": role, "state": "present"}

    def absent(self, role, state, reason):
        return {"payload": self.id(), "reason": reason, "role": role, "state": state}

    def write(self, decision, *writes):
        """Each of `writes` is the events of an entry; several are parts of what became durable together."""
        for part, events in enumerate(writes, 1):
            entry = {"events": events, "v": 1}
            if decision:
                entry["decision"] = decision
            if len(writes) > 1:
                entry["of"] = len(writes)
                if part > 1:
                    entry["part"] = part
            self.entries.append((decision, canonical(entry)))

    def files(self, disclosure=None, coverage=None, extra=None):
        """The files of a bundle of everything in the log, not yet signed."""
        tree = Tree([entry.encode() for _, entry in self.entries])
        text = f"{self.origin}\n{len(self.entries)}\n{b64(tree.root())}\n"
        files = {
            "README.txt": b"An evidence bundle, for tests.\n",
            "docs/bundle.md": b"# The evidence bundle\n",
            "docs/format.md": b"# The format\n",
            "verify.py": b"print('a verifier')\n",
            "logs/0/checkpoint": note(text, name=self.origin) + cosignature(text, 1_795_329_792).encode(),
            "logs/0/keys": (vkey(self.origin) + "\n").encode(),
            "logs/0/timestamps/0.tsr": timestamp(text),
            "coverage.json": file_json(coverage or {"findings": []}),
        }
        by_decision = {}
        for index, (decision, entry) in enumerate(self.entries):
            proved = {"entry": entry, "index": index, "log": 0, "proof": [b64(node) for node in tree.proof(index)]}
            by_decision.setdefault(decision, []).append(proved)
        for sha256, content in self.shared.items():
            files[f"shared/{sha256}"] = content
        files["logs/0/system.json"] = file_json({"entries": by_decision.pop(None, [])})
        summaries = [self.of_decision(files, decision, entries) for decision, entries in sorted(by_decision.items())]
        files["decisions.json"] = file_json({"decisions": summaries})
        files["bundle.json"] = file_json({
            "build": "0.1.0", "decisions": len(summaries), "disclosure": disclosure or {"classes": [], "roles": ["*"], "sealed": self.is_sealed},
            "format": 1, "logs": [{"origin": self.origin, "root": b64(tree.root()), "size": len(self.entries), "timestamps": 1}],
        })
        files.update(extra or {})
        return files

    def of_decision(self, files, decision, entries):
        files[f"decisions/{decision}.json"] = file_json({"decision": decision, "entries": entries})
        events = [event for proved in entries for event in json.loads(proved["entry"])["events"]]
        references = [r for event in events for r in event.get("payloads", []) if r and r["state"] == "present" and "first" not in r]
        for kind in ["openings", "sealed"]:
            there = [getattr(self, kind)[r["payload"]] for r in references if r["payload"] in getattr(self, kind)]
            if there or (kind == "sealed" and self.is_sealed):
                files[f"{kind}/{decision}.json"] = file_json({"decision": decision, kind: there})
        opened = sum(1 for r in references if r["payload"] in self.openings)
        summary = {"disclosed": opened, "entries": len(entries), "id": decision, "logged_at": events[0]["logged_at"], "payloads": len(references), "system": events[0]["system"]}
        outcomes = [event["body"].get("outcome") for event in events if event["kind"] == "decision.closed" and isinstance(event["body"], dict)]
        return {**summary, "outcome": outcomes[-1]} if outcomes and isinstance(outcomes[-1], str) else summary


def seal(files, **by):
    """Lists and signs, as whoever has the log's key can."""
    listed = sorted(path for path in files if path not in UNLISTED)
    files["SHA256SUMS"] = "".join(f"{sha(files[path])}  {path}\n" for path in listed).encode()
    files["manifest"] = note(f"inferlog bundle v1\n{sha(files['SHA256SUMS'])}\n", **by)
    return files


def into_page(empty, files, whole=True):
    """The page of a bundle, from the page of none: what crates/bundle puts into it."""
    inside = {}
    for path, data in sorted(files.items()):
        if path in ["report.html", "report.note"]:
            continue
        try:
            inside[path] = data.decode()
        except UnicodeDecodeError:
            inside[path] = {"base64": b64(data)}
    text = json.dumps({"files": inside, "whole": whole}, ensure_ascii=False).replace("<", "\\u003c")
    mark = '<script type="application/json" id="bundle">'
    before, _, rest = empty.partition(mark)
    return before + mark + text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + rest[rest.index("</script>") :]


def into_zip(path, files, page, method=zipfile.ZIP_DEFLATED):
    """The bundle as a ZIP file, with its page and the note over it."""
    html = page.encode()
    whole = {**files, "report.html": html, "report.note": note(f"inferlog bundle report v1\n{sha(html)}\n")}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in whole.items():
            archive.writestr(name, data)
