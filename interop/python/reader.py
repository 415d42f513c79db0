"""The `inferlog` command, and a decision as its `show --json` tells it."""

import base64
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

BINARY = os.environ["INFERLOG_BIN"]
SYSTEM = "credit-scoring"
COMMAND_SECONDS_MAX = 60
RECORDED_SECONDS_MAX = 10


@dataclass(frozen=True)
class Inferlog:
    """A data directory, its root key, and what the command says of it."""

    data: Path
    root_key: Path

    def run(self, command, *arguments, status=0, opens=False):
        """Runs a command that ends with this status; its standard output."""
        key = ["--root-key", f"file:{self.root_key}"] if opens else []
        ran = subprocess.run(
            [BINARY, *command.split(), "--data", self.data, *key, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS_MAX, check=False,
        )
        assert ran.returncode == status, (ran.args, ran.returncode, ran.stderr.decode())
        return ran.stdout.decode()

    def show(self, decision):
        return Story(self.run("show", decision, "--json", opens=True))

    def ended(self, decision):
        """Waits until the decision has ended; its record."""
        give_up = time.monotonic() + RECORDED_SECONDS_MAX
        while True:
            story = self.show(decision)
            if "outcome" in story.told:
                return story
            assert time.monotonic() < give_up, f"{decision} did not end"
            time.sleep(0.05)

    def find(self):
        """Decisions by id, oldest first."""
        found = map(json.loads, self.run("find", "--json").splitlines())
        return {decision["decision"]: decision for decision in found}

    def erase(self, subject):
        (erased,) = json.loads(self.run("erase", "--subject", subject, "--yes", "--json", opens=True))["erased"]
        return erased

    def vkey(self):
        return self.run("keys vkey", "--system", SYSTEM).strip()

    def verify(self, *arguments):
        return json.loads(self.run("verify", "--json", *arguments))

    def checkpoint(self):
        """The file with the log's newest checkpoint."""
        (path,) = self.data.glob(f"logs/{SYSTEM}/*/*/checkpoint")
        return path


@dataclass
class Payload:
    """A payload: its state, and its bytes where it is there."""

    told: dict
    content: bytes | None = None

    def __getattr__(self, name):
        return self.told.get(name)

    def json(self):
        return json.loads(self.content)


@dataclass
class Event:
    """A step: the event as it stands in the entry, and its payloads by role."""

    told: dict
    payloads: dict = field(default_factory=dict)

    def __getattr__(self, name):
        return self.told["event"].get(name)

    def __getitem__(self, role):
        return self.payloads[role]

    def __contains__(self, role):
        return role in self.payloads


class Story:
    """A decision as it is told: `told` is the whole answer, `events` its steps in order."""

    def __init__(self, text):
        self.told = json.loads(text)
        exact = json_contents(text)
        self.events = []
        for told in self.told["events"]:
            event = Event(told)
            for payload in told["payloads"]:
                assert payload["role"] not in event, f"two payloads {payload['role']}"
                event.payloads[payload["role"]] = Payload(payload, opened(payload.get("content"), exact))
            self.events.append(event)
        assert next(exact, None) is None

    def __getitem__(self, kind):
        (event,) = (event for event in self.events if event.kind == kind)
        return event

    def kinds(self):
        return [event.kind for event in self.events]

    def missing(self):
        """What is not there: field to the first word of why."""
        return {part["field"]: part["why"].split(":")[0] for part in self.told["missing"]}

    def is_proved(self):
        proofs = self.told["proofs"]
        return not self.told["problems"] and all(
            proof["signed_by"] and "problem" not in proof and all(entry["included"] for entry in proof["entries"])
            for proof in proofs
        )


def opened(told, exact):
    if told is None:
        return None
    if "json" in told:
        return next(exact)
    return told["text"].encode() if "text" in told else base64.b64decode(told["base64"], validate=True)


def json_contents(text):
    """The contents that are JSON, in their order, as the bytes that they are: a parsed value has lost spaces and more."""
    begins, decoder, at = '"content":{"json":', json.JSONDecoder(), 0
    while (at := text.find(begins, at)) >= 0:
        begin = at + len(begins)
        _, at = decoder.raw_decode(text, begin)
        yield text[begin:at].encode()


def nanoseconds(time):
    """A time of the record, since 1970."""
    seconds, fraction = time.removesuffix("Z").split(".")
    return int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 1_000_000_000 + int(fraction)
