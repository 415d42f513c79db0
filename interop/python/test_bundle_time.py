"""The time of a checkpoint by an authority that is no part of inferlog: `openssl ts` stamps while the gateway serves, and what a
bundle then holds is verified by `openssl ts -verify`, by the command that verify.py prints."""

import contextlib
import http.server
import re
import subprocess
import threading
import time

import pytest

import casework
from bundles import VERIFY_PY, Bundle, NoteKey, by_python, by_rust, verdict
from reader import BINARY

STAMPED_SECONDS_MAX = 30
CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamps]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""
STAMPED = """
[timestamps]
url = "http://127.0.0.1:{authority}/"
roots = "{roots}"
period = "1s"
"""


def openssl(folder, words):
    return subprocess.run(["openssl", *words.split()], cwd=folder, capture_output=True, check=True).stdout


@contextlib.contextmanager
def stamping(folder):
    """An authority on loopback; its port. `folder/root.pem` vouches for it."""
    (folder / "config").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=Root -days 99 -config config -extensions root")
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Authority -config config")
    openssl(folder, "x509 -req -in tsa.csr -CA root.pem -CAkey root.key -set_serial 7 -days 9 -out tsa.pem -extfile config -extensions stamps")

    class Authority(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["content-length"])))
            openssl(folder, "ts -reply -config config -section tsa -queryfile query -signer tsa.pem -inkey tsa.key -out answer")
            answer = (folder / "answer").read_bytes()
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Authority) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def stamped(tmp_path_factory):
    """A bundle whose checkpoint was stamped, the key of its log, and the folder of the authority."""
    folder, authority = tmp_path_factory.mktemp("time"), tmp_path_factory.mktemp("authority")
    with stamping(authority) as port:
        config = STAMPED.format(authority=port, roots=authority / "root.pem")
        with casework.chatting(folder, config) as gateway:
            log, decision = gateway.log, casework.ask(gateway, "4711", "Applicant 4711 asks for 20,000.")
            entries = log.ended(decision).told["proofs"][0]["entries"]
            give_up = time.monotonic() + STAMPED_SECONDS_MAX
            while not any(covers(path, entries) for path in log.data.glob("logs/*/*/*/vouched/*.tsr")):
                assert time.monotonic() < give_up, "no checkpoint was stamped"
                time.sleep(0.1)
            log.run("export bundle", "--decision", decision, "--output", folder / "stamped.zip", opens=True)
            yield folder / "stamped.zip", log.vkey(), authority


def covers(path, entries):
    return int(path.name[:20]) > max(entry["index"] for entry in entries)


def test_what_is_stamped_is_the_checkpoint(stamped):
    path, key, authority = stamped
    bundle = Bundle.read(path)
    assert bundle.json("bundle.json")["logs"][0]["timestamps"] == 1
    for check in by_rust, by_python:
        verdict = check(path, "--key", key)
        assert (verdict.status, verdict.outcomes()["timestamps"]) == (0, "unchecked"), verdict
    trusted = verdict_with_roots(path, authority / "root.pem")
    assert (trusted.status, trusted.outcomes()["timestamps"]) == (0, "passed"), trusted


def verdict_with_roots(path, roots):
    return verdict([BINARY, "verify", "--json", "--bundle", path, "--tsa-roots", roots])


def test_the_command_that_is_printed_verifies_it(stamped, tmp_path):
    path, _, authority = stamped
    folder = Bundle.read(path).unpack(tmp_path)
    told = subprocess.run(["python3", "-I", VERIFY_PY, folder], capture_output=True, check=True).stdout.decode()
    (command,) = re.findall(r"To check it: (sed .* -CAfile ROOTS\.pem)", told)
    with_roots = command.replace("ROOTS.pem", str(authority / "root.pem"))
    good = subprocess.run(with_roots, shell=True, cwd=folder, capture_output=True, check=False)
    assert (good.returncode, b"Verification: OK" in good.stdout + good.stderr) == (0, True), good
    # Another text, and an authority that nobody vouches for.
    checkpoint = folder / "logs/0/checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("/credit-scoring/", "/credit-scorinh/"))
    assert subprocess.run(with_roots, shell=True, cwd=folder, capture_output=True, check=False).returncode != 0
    Bundle.read(path).unpack(tmp_path)
    openssl(tmp_path, "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -subj /CN=Other -days 9")
    untrusted = command.replace("ROOTS.pem", "other.pem")
    assert subprocess.run(untrusted, shell=True, cwd=folder, capture_output=True, check=False).returncode != 0


def test_a_stamp_on_something_else_is_found(stamped, tmp_path):
    path, _, authority = stamped
    log, tsr = NoteKey("org/system/0/epoch"), "logs/0/timestamps/0.tsr"
    stamp = Bundle.read(path)[tsr]
    # On the checkpoint of another log; with its imprint changed; cut off; refused by the authority.
    granted = bytes.fromhex("30030201")
    assert stamp.count(granted + b"\0") == 1
    moved = Bundle.read(path).relog(log)
    at = moved.json("bundle.json")
    at["logs"][0]["timestamps"] = 1
    moved.put("bundle.json", at)
    own = Bundle.read(path)
    imprint = openssl_imprint(own, tmp_path)
    changes = {
        "another checkpoint": (moved, stamp),
        "another imprint": (own, stamp.replace(imprint, bytes(32))),
        "cut off": (own, stamp[:-1]),
        "not granted": (own, stamp.replace(granted + b"\0", granted + b"\2")),
        "nothing": (own, b""),
        "no DER": (own, b"\x30\x80" + stamp[2:]),
    }
    for what, (bundle, response) in changes.items():
        bundle = bundle.copy()
        bundle[tsr] = response
        bundle.resign(log) if bundle["logs/0/checkpoint"] == moved["logs/0/checkpoint"] else bundle.resum()
        changed = bundle.pack(tmp_path / "changed.zip")
        for check in by_rust, by_python:
            assert ("timestamps", tsr) in check(changed).faults, (what, check.__name__, check(changed))
        assert ("timestamps", tsr) in verdict_with_roots(changed, authority / "root.pem").faults, what


def openssl_imprint(bundle, folder):
    """SHA-256 of the checkpoint's text, as `openssl` has it."""
    (folder / "text").write_bytes(bundle["logs/0/checkpoint"].rpartition(b"\n\n")[0] + b"\n")
    return bytes.fromhex(openssl(folder, "dgst -sha256 -r text").split()[0].decode())
