"""The frozen exchanges of `fixtures/v1/wire/llm`, which the Rust tests read too, and changes that no reader may notice."""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "fixtures/v1/wire/llm"


@dataclass(frozen=True)
class Transcript:
    """A request, the answer to it, and the facts that the record of both must state."""

    name: str
    wire: str
    method: str
    path: str
    request_headers: dict
    request: bytes
    status: int
    response_headers: dict
    response: bytes
    facts: dict

    @property
    def media_type(self):
        headers = {name.lower(): value for name, value in self.response_headers.items()}
        return headers.get("content-type", "").split(";")[0]

    @property
    def is_stream(self):
        return self.media_type in ("text/event-stream", "application/x-ndjson")

    def answering(self, response):
        return replace(self, response=response)


def load():
    """All of them, by name."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.toml"))}


def well_formed(wire, *ends):
    """Names of those of a wire whose paths end so, that a client reads without an error."""
    faults = ("response.error", "response.gap", "response.broken_off", "request.gap")
    return [
        name for name, each in load().items()
        if each.wire == wire and each.path.endswith(ends) and each.status == 200 and not each.facts.keys() & set(faults)
    ]


def read(path):
    told = tomllib.loads(path.read_bytes().decode())
    return Transcript(
        path.stem, told["wire"], told["method"], told["path"],
        told.get("request_headers", {}), body(told, "request"),
        told["status"], told.get("response_headers", {}), body(told, "response"),
        facts(told["facts"]),
    )


def body(told, name):
    return bytes.fromhex(told[f"{name}_hex"]) if f"{name}_hex" in told else told[name].encode()


FACT = re.compile(r"(operation|deployment|(?:request|response)\.[\w.]+) =(?: (.*))?", re.DOTALL)


def facts(text):
    """`name = value`, the values of a name in a list; a line that has no name goes on with the value before it."""
    told = []
    for line in text.splitlines():
        if FACT.fullmatch(line) or not told:
            told.append(line)
        else:
            told[-1] += "\n" + line
    found = {}
    for fact in told:
        if matched := FACT.fullmatch(fact):
            found.setdefault(matched[1], []).append(matched[2] or "")
    return found


def with_crlf(events):
    """Lines that end as HTTP's do."""
    return events.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def with_comments(events):
    """A comment before every event, as servers send to keep a connection open."""
    return b": keep-alive\n\n" + events.replace(b"\n\n", b"\n\n: keep-alive\n\n")
