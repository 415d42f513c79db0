"""The hash chain of @systima/aiact-audit-log 0.1.5, checked as its README and `src/hash-chain.ts` describe it.

An entry's `hash` is SHA-256 over `JSON.stringify` of the entry without `hash`, the keys of every object sorted; its
`prevHash` is the `hash` of the entry with the `seq` before, or for `seq` 0 SHA-256 of
`@systima/aiact-audit-log:genesis:{systemId}`.
"""

import hashlib
import json
import re
from decimal import Decimal

FIELDS = {
    "schemaVersion", "entryId", "decisionId", "systemId", "timestamp", "eventType", "modelId", "providerId", "input",
    "output", "latencyMs", "usage", "error", "parameters", "captureMethod", "seq", "prevHash", "hash",
}
EVENT_TYPES = {
    "inference", "tool_call", "tool_result", "human_intervention", "system_event", "session_start", "session_end",
}
INTERVENTIONS = {"approval", "rejection", "modification", "override", "escalation"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def read(root, system):
    """Every entry of a system, with the path it stands in; in the order of the files and lines."""
    return [
        (path.relative_to(root / system).as_posix(), json.loads(line))
        for path in sorted((root / system).rglob("*.jsonl"))
        for line in path.read_text().removesuffix("\n").split("\n")
    ]


def verify(entries, system):
    """The `seq` of the first entry that breaks the chain, or none."""
    previous = sha256(f"@systima/aiact-audit-log:genesis:{system}")
    for entry in sorted(entries, key=lambda entry: entry["seq"]):
        told = {key: value for key, value in entry.items() if key != "hash"}
        if entry["hash"] != sha256(stringify(told)) or entry["prevHash"] != previous:
            return entry["seq"]
        previous = entry["hash"]
    return None


def check_schema(entry):
    """What `validateAuditLogEntry` and `validateLogEntryInput` ask."""
    assert entry.keys() >= FIELDS, entry
    assert entry["schemaVersion"] == "v1" and entry["eventType"] in EVENT_TYPES
    assert entry["captureMethod"] in {"middleware", "manual", "context"}
    assert all(entry[field] for field in ("entryId", "decisionId", "systemId", "prevHash", "hash"))
    assert TIMESTAMP.fullmatch(entry["timestamp"])
    assert entry["input"]["type"] in {"raw", "hash"} and isinstance(entry["input"]["value"], str)
    assert entry["output"] is None or isinstance(entry["output"]["value"], str)
    assert entry["latencyMs"] is None or entry["latencyMs"] >= 0
    assert entry["usage"] is None or set(entry["usage"]) == {"promptTokens", "completionTokens", "totalTokens"}
    assert entry["error"] is None or all(isinstance(entry["error"][key], str) for key in ("code", "message"))
    if entry["eventType"] == "human_intervention":
        human = entry["humanIntervention"]
        assert human["type"] in INTERVENTIONS and human["userId"] and human["timestamp"]
    if entry["eventType"] == "tool_call":
        assert entry["toolCall"]["toolName"]
    assert all(isinstance(value, str | int | float | bool) for value in entry["metadata"].values())


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def stringify(value):
    """As `JSON.stringify` of what JavaScript makes of the value, with the keys of every object sorted."""
    match value:
        case dict():
            # By UTF-16 code units; keys that are array indices would come first, and the export has none.
            assert not any(key.isdigit() or key == "__proto__" for key in value)
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{stringify(key)}:{stringify(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(stringify, value)) + "]"
        case bool() | None | str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return number(float(value))


def number(value):
    """A number as ECMA-262 (Number::toString) writes it; Python's shortest digits are the same."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    if 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        text = f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return ("-" if sign else "") + text
