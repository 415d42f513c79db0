"""Evidence bundles of a log that saw retrieval, tools, a person's override and an erasure: made by inferlog, checked by inferlog,
by the program that lies in each bundle, and by `sha256sum`; packed again by other programs; under keys of the reader's choice."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from bundles import PAGE, VERIFY_PY, Bundle, NoteKey, by_python, by_rust
from casework import PROMPT

CHECKERS = [by_rust, by_python]


@pytest.mark.parametrize("disclosed", ["all", "some", "none"])
def test_every_verifier_says_the_same_of_it(evidence, disclosed):
    path, key = evidence.bundles[disclosed], evidence.log.vkey()
    for arguments, key_from in ([], "bundle"), (["--key", key], "given"):
        rust, python = by_rust(path, *arguments), by_python(path, *arguments)
        assert (rust.status, python.status) == (0, 0), (rust, python)
        for verdict in (rust, python):
            (log,) = verdict.told["logs"]
            assert (log["key_from"], log["signed_by"]) == (key_from, [key])
        theirs = {name: count for name, count in rust.told["counts"].items() if count}
        assert {name: count for name, count in python.told["counts"].items() if count} == theirs
        assert python.outcomes() == rust.outcomes()
        for shared in ("build", "disclosure", "not_proved"):
            assert python.told[shared] == rust.told[shared]
    counts = rust.told["counts"]
    assert counts["erased"] and counts["not_captured"] and counts["system_entries"] and counts["decisions"] == 4
    assert bool(counts["disclosed"]) == (disclosed != "none")
    assert bool(counts["undisclosed"]) == (disclosed != "all")
    assert bool(counts["sealed"]) == (disclosed == "all")


def test_what_the_log_saw_is_in_it(evidence):
    bundle = Bundle.read(evidence.bundles["all"])
    entries = [json.loads(entry["entry"]) for path in bundle.under("decisions/") for entry in bundle.json(path)["entries"]]
    kinds = {event["kind"] for entry in entries for event in entry["events"]}
    assert {"decision.opened", "inference", "retrieval", "tool_call", "human", "decision.closed"} <= kinds
    life = {event["kind"] for entry in bundle.json("logs/0/system.json")["entries"] for event in json.loads(entry["entry"])["events"]}
    assert {"erasure", "recorder.started", "access"} <= life
    assert bundle["verify.py"] == VERIFY_PY.read_bytes()
    assert [bundle[path].decode() for path in bundle.under("shared/")] == [PROMPT]


def test_the_same_selection_gives_the_same_bytes(evidence, tmp_path):
    assert evidence.export(tmp_path / "once").read_bytes() == evidence.export(tmp_path / "again").read_bytes()


def test_unpacked_it_checks_itself(evidence, tmp_path):
    with zipfile.ZipFile(evidence.bundles["all"]) as packed:
        packed.extractall(tmp_path)
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=True)
    assert sums.stdout.count(b": OK\n") == len(Bundle.read(evidence.bundles["all"])) - 4
    own = [sys.executable, "-I", "verify.py"]
    for arguments, words in ([], "by the bundle's own word"), (["--key", evidence.log.vkey()], "which you gave"):
        told = subprocess.run([*own, *arguments], cwd=tmp_path, capture_output=True, check=True).stdout.decode()
        assert words in told and "FAILED" not in told and "\033" not in told
    (tmp_path / "README.txt").write_bytes((tmp_path / "README.txt").read_bytes() + b" ")
    changed = subprocess.run(own, cwd=tmp_path, capture_output=True, check=False)
    assert changed.returncode == 1 and b"files: README.txt" in changed.stdout
    # Neither reads through a link what is not in the folder.
    (tmp_path / "README.txt").unlink()
    (tmp_path / "README.txt").symlink_to(VERIFY_PY)
    linked = subprocess.run(own, cwd=tmp_path, capture_output=True, check=False)
    assert linked.returncode == 1 and linked.stdout.startswith(b"Refused: README.txt is neither a file nor a folder")


def repacked(bundle, folder):
    """The same files packed by other programs, in other orders."""
    yield bundle.pack(folder / "stored.zip", zipfile.ZIP_STORED)
    yield bundle.pack(folder / "reversed.zip", order=lambda files: sorted(files, reverse=True))
    with zipfile.ZipFile(bundle.pack(folder / "commented.zip"), "a") as packed:
        packed.comment = b"packed again"
        packed.mkdir("decisions") if hasattr(packed, "mkdir") else packed.writestr("decisions/", b"")
    yield folder / "commented.zip"
    with zipfile.ZipFile(folder / "large.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in bundle.items():
            with packed.open(name, "w", force_zip64=True) as member:
                member.write(content)
    yield folder / "large.zip"
    files = bundle.unpack(folder / "files")
    programs = {
        "zip": ["zip", "-q", "-r", "../zip.zip", "."],
        "jar": ["jar", "--create", "--no-manifest", "--file", "../jar.zip", "."],
        "bsdtar": ["bsdtar", "-a", "-c", "-f", "../bsdtar.zip", *sorted(bundle)],
    }
    for name, command in programs.items():
        if shutil.which(name):
            subprocess.run(command, cwd=files, capture_output=True, check=True)
            yield folder / f"{name}.zip"


def test_packed_by_another_program_it_still_verifies(evidence, tmp_path):
    for path in repacked(Bundle.read(evidence.bundles["all"]), tmp_path):
        assert path.read_bytes() != evidence.bundles["all"].read_bytes()
        for check in CHECKERS:
            verdict = check(path, "--key", evidence.log.vkey())
            assert verdict.status == 0, (path.name, check.__name__, verdict)


def test_other_keys_vouch_for_nothing(evidence, tmp_path):
    origin = evidence.log.vkey().split("+")[0]
    checkpoint, statements = ("checkpoint", "logs/0/checkpoint"), {("manifest", "manifest"), ("report", "report.note")}
    for other, faults in (NoteKey(origin), {checkpoint, *statements}), (NoteKey("somebody.example/else"), {checkpoint}):
        (tmp_path / "keys").write_text(f"{other.vkey}\n")
        for check, argument in (by_rust, other.vkey), (by_python, other.vkey), (by_python, tmp_path / "keys"):
            verdict = check(evidence.bundles["none"], "--key", argument)
            assert (verdict.status, verdict.faults) == (1, faults), (check.__name__, verdict)
    # A key beside others is enough.
    for check in CHECKERS:
        assert check(evidence.bundles["none"], "--key", NoteKey("a.example/b").vkey, "--key", evidence.log.vkey()).status == 0
        for nonsense in ("nonsense", evidence.log.vkey()[:-3] + "AAA", ""):
            assert check(evidence.bundles["none"], "--key", nonsense).status == 2


def test_the_checkpoint_that_a_reader_kept(evidence, tmp_path):
    bundle = Bundle.read(evidence.bundles["none"])
    kept = tmp_path / "kept"
    kept.write_bytes(bundle["logs/0/checkpoint"])
    for check in CHECKERS:
        assert check(evidence.bundles["none"], "--key", evidence.log.vkey(), "--against", kept).status == 0
        # A bundle under another size cannot tell, and says so.
        verdict = check(evidence.bundles["all"], "--key", evidence.log.vkey(), "--against", kept)
        assert verdict.status == 0 and "cannot" in str(verdict.told)
    # The log told somebody else of other records.
    key = NoteKey(evidence.log.vkey().split("+")[0])
    forked = bundle.copy().relog(key)
    text = forked["logs/0/checkpoint"].decode().split("\n\n")[0].split("\n")
    other = f"{text[0]}\n{text[1]}\n{'A' * 43}=\n"
    kept.write_text(f"{other}\n{key.sign(other)}")
    path = forked.pack(tmp_path / "forked.zip")
    for check in CHECKERS:
        assert "checkpoint" in {name for name, _ in check(path, "--against", kept).faults}
        kept_nonsense = tmp_path / "nonsense"
        kept_nonsense.write_text("nonsense\n")
        assert check(path, "--against", kept_nonsense).status != 0


def test_cosignatures_are_checked_by_the_keys_given(evidence, tmp_path):
    witness, other = NoteKey("witness.example/w", kind=4), NoteKey("witness.example/w", kind=4)
    bundle = Bundle.read(evidence.bundles["none"]).relog(log := NoteKey("org/system/0/epoch"))
    text = bundle["logs/0/checkpoint"].decode().rpartition("\n\n")[0] + "\n"
    bundle["logs/0/checkpoint"] += witness.sign(text).encode()
    path = bundle.resign(log).pack(tmp_path / "cosigned.zip")
    for check in CHECKERS:
        unchecked = check(path)
        assert unchecked.faults <= {PAGE} and unchecked.outcomes()["cosignatures"] == "unchecked"
        assert witness.name in str(unchecked.told["logs"]) + str(unchecked.told["notices"])
        checked = check(path, "--witness", witness.vkey)
        assert checked.faults <= {PAGE} and checked.outcomes()["cosignatures"] == "passed"
        assert check(path, "--witness", other.vkey).faults - {PAGE} == {("cosignatures", "logs/0/checkpoint")}
    bundle["logs/0/checkpoint"] = bundle["logs/0/checkpoint"].replace(
        witness.sign(text).encode(), witness.sign(text.replace("\n", " \n", 1)).encode()
    )
    path = bundle.resign(log).pack(tmp_path / "false.zip")
    for check in CHECKERS:
        assert check(path).faults <= {PAGE}
        assert check(path, "--witness", witness.vkey).faults - {PAGE} == {("cosignatures", "logs/0/checkpoint")}
