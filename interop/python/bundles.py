"""Evidence bundles in the tests' hands: read, changed, packed again, signed again by a log that the test makes up."""

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reader import BINARY

VERIFY_PY = Path(__file__).parents[2] / "crates/bundle/src/verify.py"
VERIFY_SECONDS_MAX = 120
UNLISTED = {"SHA256SUMS", "manifest", "report.html", "report.note"}
# What `inferlog verify` finds and verify.py does not look for: a page that the other files of the bundle do not give.
PAGE = ("report", "report.html")
STATEMENTS = [("manifest", "inferlog bundle v1", "SHA256SUMS"), ("report.note", "inferlog bundle report v1", "report.html")]


class Bundle(dict):
    """Files by path."""

    @classmethod
    def read(cls, path):
        with zipfile.ZipFile(path) as packed:
            return cls({member.filename: packed.read(member) for member in packed.infolist()})

    def copy(self):
        return Bundle(self)

    def json(self, path):
        return json.loads(self[path])

    def put(self, path, value):
        self[path] = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def under(self, folder):
        return sorted(path for path in self if path.startswith(folder))

    def pack(self, path, compression=zipfile.ZIP_DEFLATED, order=sorted):
        with zipfile.ZipFile(path, "w", compression) as packed:
            for name in order(self):
                packed.writestr(name, self[name])
        return path

    def unpack(self, folder):
        for name, content in self.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def resum(self):
        """The list, and what the two statements say, made again by somebody who has no key: the signatures stay."""
        lines = [f"{hashlib.sha256(self[path]).hexdigest()}  {path}\n" for path in sorted(self) if path not in UNLISTED]
        self["SHA256SUMS"] = "".join(lines).encode()
        for path, domain, about in STATEMENTS:
            if path in self and about in self:
                _, blank, signatures = self[path].rpartition(b"\n\n")
                self[path] = statement(domain, self[about]).encode() + blank[1:] + signatures
        return self

    def resign(self, *keys):
        """The same by those who have the keys of the logs, in the order of the logs."""
        for number, key in enumerate(keys):
            self[f"logs/{number}/keys"] = f"{key.vkey}\n".encode()
        self.resum()
        for path, domain, about in STATEMENTS:
            text = statement(domain, self[about])
            self[path] = (text + "\n" + "".join(key.sign(text) for key in keys)).encode()
        return self

    def relog(self, key):
        """All entries of all files made the leaves of a log of their own, which this key signs."""
        files = {path: self.json(path) for path in [*self.under("decisions/"), *self.under("logs/")] if path.endswith(".json")}
        files = {path: told for path, told in files.items() if "entries" in told}
        proved = [entry for path, told in sorted(files.items()) for entry in told["entries"]]
        order = sorted({(entry["log"], entry["index"]) for entry in proved})
        leaves = [b""] * len(order)
        for entry in proved:
            entry["log"], entry["index"] = 0, order.index((entry["log"], entry["index"]))
            leaves[entry["index"]] = hashlib.sha256(b"\0" + entry["entry"].encode()).digest()
        for entry in proved:
            entry["proof"] = [base64.b64encode(sibling).decode() for sibling in inclusion_proof(leaves, entry["index"])]
        for path, told in files.items():
            self.put(path, told)
        root = base64.b64encode(root_of(leaves)).decode()
        facts = self.json("bundle.json")
        facts["logs"] = [{"origin": key.name, "root": root, "size": len(leaves), "timestamps": 0}]
        self.put("bundle.json", facts)
        text = f"{key.name}\n{len(leaves)}\n{root}\n"
        self["logs/0/checkpoint"] = f"{text}\n{key.sign(text)}".encode()
        return self.resign(key)


def statement(domain, about):
    return f"{domain}\n{hashlib.sha256(about).hexdigest()}\n"


def root_of(leaves):
    """RFC 6962, section 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:middle]) + root_of(leaves[middle:])).digest()


def inclusion_proof(leaves, index):
    """RFC 6962, section 2.1.1."""
    if len(leaves) < 2:
        return []
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    if index < middle:
        return [*inclusion_proof(leaves[:middle], index), root_of(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], index - middle), root_of(leaves[:middle])]


class NoteKey:
    """A key that signs notes (c2sp.org/signed-note): a log's, or with `kind` 4 a witness's."""

    def __init__(self, name, kind=1):
        self.name, self.kind, self.private = name, kind, Ed25519PrivateKey.generate()
        key = bytes([kind]) + self.private.public_key().public_bytes_raw()
        self.id = hashlib.sha256(f"{name}\n".encode() + key).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(key).decode()}"

    def sign(self, text, time=1_800_000_000):
        """The line of its signature."""
        stamp = time.to_bytes(8, "big") if self.kind == 4 else b""
        message = f"cosignature/v1\ntime {time}\n{text}" if self.kind == 4 else text
        signature = self.id + stamp + self.private.sign(message.encode())
        return f"\u2014 {self.name} {base64.b64encode(signature).decode()}\n"


class Verdict:
    """What a verifier said of a bundle."""

    def __init__(self, ran):
        self.status, self.error = ran.returncode, ran.stderr.decode()
        self.told = json.loads(ran.stdout) if ran.stdout else {}
        assert (self.status == 0) == self.told.get("ok", False), (self.status, self.error)

    @property
    def faults(self):
        """Check and file of each fault."""
        return {(fault["check"], fault["file"]) for fault in self.told.get("faults", [])}

    def outcomes(self):
        return {check["check"]: check["outcome"] for check in self.told["checks"]}

    def __repr__(self):
        return f"status {self.status}: {self.error or self.told.get('faults')}"


def by_rust(bundle, *arguments):
    return verdict([BINARY, "verify", "--json", "--bundle", bundle, *arguments])


def by_python(bundle, *arguments):
    return verdict([sys.executable, "-I", VERIFY_PY, "--json", bundle, *arguments])


def verdict(command):
    return Verdict(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=VERIFY_SECONDS_MAX, check=False))
