"""What happened in the log that the bundles of these tests are taken from."""

import json

from bundles import ORIGIN, Log, sha, uuid

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)> \u202egnp.exe\u202c \u2028 {{bundle}} <!--"
PROMPT = b"You decide on applications for credit. Answer with score and reason codes.\n"
PERSON = uuid(900, version=4)
REVIEWER = uuid(901, version=4)
ERASED = uuid(902, version=4)
CAPTURE = {"adapter": "openai_chat", "adapter_version": "1", "bytes_dropped": 0, "completeness": "complete", "method": "gateway"}


def scored(log):
    """A decision that a person overrode."""
    decision = log.id()
    asked = log.payload("input.raw", json.dumps({"applicant": {"income": 42000, "months_employed": 7}, "amount": 250000}).encode())
    opened = log.event("decision.opened", {"method": "post", "route": "score", "wire": "openai_chat"}, [asked], started_at=log.time(), subjects=[PERSON], capture=CAPTURE)
    log.write(decision, [opened])
    log.shared[sha(PROMPT)] = PROMPT
    answer = log.payload("output.raw", json.dumps({"score": 0.31, "decision": "decline", "reasons": ["R04", "R11"]}).encode())
    call = log.event(
        "inference",
        {
            "finish_reason": "stop", "model": {"identity": "exact", "requested": "credit-8b-2026-09-01", "returned": "credit-8b-2026-09-01", "version": "3.2"}, "outcome": "ok",
            "prompts": [{"name": "score/system", "role": "system", "sha256": sha(PROMPT), "version": "4"}], "status": 200, "usage": {"input": 412, "output": 88},
        },
        [log.again(asked, "input.assembled", opened), answer, log.absent("params.effective", "not_captured", "not_visible")],
        ms=820, after=[opened["id"]], started_at=log.time(), ended_at=log.time(640), capture=CAPTURE,
    )
    reason = log.payload("human.reason", "Income was read from the wrong year; the payslip of 2026 shows 61,000.".encode(), "text/plain")
    after = log.payload("human.after", b'{"decision":"approve"}')
    human = log.event("human", {"about": call["id"], "action": "override", "reviewer": REVIEWER}, [log.again(answer, "human.before", call), after, reason], ms=95_000, after=[call["id"]])
    shown = log.event("output", {"identical": {"processed_final": "false", "raw_processed": "true"}}, [log.again(after, "output.final", human)], ms=40, after=[human["id"]])
    end = log.event("decision.closed", {"exchange": "complete", "outcome": "answered", "status": 200}, ms=3, after=[shown["id"]], ended_at=log.time())
    log.write(decision, [call, human, shown, end])
    return decision


def researched(log):
    """A decision in parts, with content that is hostile, binary, shared, long, and content that is not disclosed."""
    decision = log.id()
    asked = log.payload("input.raw", json.dumps({"question": HOSTILE}, ensure_ascii=False).encode())
    opened = log.event("decision.opened", {"method": "post", "route": "assistant", "wire": "anthropic_messages"}, [asked], ms=4_000, started_at=log.time(), capture=CAPTURE, seq=1)
    log.write(decision, [opened])
    documents = [log.shared_payload("retrieval.document", b"Directive 2023/2225, Article 18: the creditor assesses the consumer's creditworthiness.\n"), log.payload("retrieval.document", b"internal memo", disclose=False)]
    found = log.event(
        "retrieval",
        {"documents": [{"payload": d["payload"], "rank": rank, "score_millionths": 912_000 - rank} for rank, d in enumerate(documents, 1)], "index": "policies", "index_version": "2026-11", "outcome": "ok"},
        [log.payload("retrieval.query", b"creditworthiness", "text/plain"), *documents], ms=30, after=[opened["id"]], seq=2,
    )
    tool = log.event("tool_call", {"attempt": 1, "error": "timeout", "name": "registry.lookup", "outcome": "failed"}, [log.payload("tool.arguments", b'{"id":7}', disclose=False)], ms=5_000, after=[found["id"]], parent=opened["id"], seq=3)
    log.write(decision, [found], [tool])
    long = ("It depends on the contract. " * 90).encode()
    call = log.event(
        "inference", {"model": {"identity": "alias", "requested": "latest"}, "outcome": "ok", "status": 200},
        [log.payload("output.raw", b"\xff\xfe\x00binary", "application/octet-stream"), log.payload("output.final", long, "text/plain"), log.absent("reasoning", "redacted", "redacted_by_policy")],
        ms=900, after=[found["id"], tool["id"]], seq=4,
    )
    end = log.event("decision.closed", {"error": "content_filtered", "outcome": "refused", "status": 200}, ms=2, after=[call["id"]])
    log.write(decision, [call, end])
    return decision


def forgotten(log):
    """A decision whose content was erased afterwards; it was never closed."""
    decision = log.id()
    opened = log.event("decision.opened", {"method": "post", "route": "score", "wire": "openai_chat"}, [log.payload("input.raw", b"{}", disclose=False, key="3.9", erased=True)], ms=7_000, subjects=[ERASED])
    log.write(decision, [opened])
    intent = log.event("erasure", {"decisions": 1, "keys": ["3.9"], "order": "request", "phase": "intent", "subjects": [ERASED], "withheld": 0}, ms=60_000)
    log.write(None, [intent])
    done = log.event("erasure", {"certificate": "ab" * 32, "decisions": 1, "intent": intent["id"], "keys": ["3.9"], "order": "request", "phase": "completed", "stores": ["keystore"], "subjects": [ERASED], "withheld": 0}, ms=900)
    log.write(None, [done])
    late = log.event("label", {"name": "repaid", "origin": "ground_truth"}, [log.absent("label.value", "erased", f"erased_by_order:{intent['id']}")], ms=80_000, after=[opened["id"]])
    log.write(decision, [late])
    return decision


COVERAGE = {
    "claim": "Coverage is measured by inferlog's record profile.",
    "systems": [
        {
            "findings": [
                {
                    "count": 1, "examples": [], "id": "alias:latest", "level": "profile", "of": 3, "of_what": "model calls", "rule": "alias", "says": "A model was asked for by a name that may mean another tomorrow.",
                    "serves": "12(2)(a)", "severity": "warning", "todo": "Ask for a dated or numbered model.", "what": "latest",
                }
            ],
            "system": "credit",
        }
    ],
}


def credit(origin=ORIGIN):
    """The log, and its decisions."""
    log = Log(origin=origin)
    log.write(None, [log.event("recorder.started", {"build": "0.1.0", "configuration": "cd" * 32, "last_end": "clean", "node": "00" * 16, "shard": "0"})])
    decisions = [scored(log)]
    log.write(None, [log.event("system.changed", {"aspect": "model", "decision": decisions[0], "new": "credit-8b-2026-09-01"}, ms=10)])
    decisions += [researched(log), forgotten(log)]
    log.write(None, [log.event("access", {"action": "disclose", "count": 3, "decisions": decisions, "granted": True, "purpose": "authority", "role": "compliance"}, ms=5_000)])
    return log, decisions


def many(count):
    """A log of as many small decisions."""
    log = Log(sealed=False)
    log.write(None, [log.event("recorder.started", {"build": "0.1.0", "configuration": "cd" * 32, "last_end": "first", "node": "00" * 16, "shard": "0"})])
    for number in range(count):
        decision = f"0192f3a2-{number // 65536:04x}-7{number % 4096:03x}-8000-{number:012x}"
        asked = log.payload("input.raw", b'{"amount":%d}' % number, disclose=number % 4 == 0)
        opened = log.event("decision.opened", {"method": "post", "route": "score", "wire": "openai_chat"}, [asked], ms=7)
        log.write(decision, [opened])
        answer = log.payload("output.raw", b'{"score":%d}' % (number % 100), disclose=False)
        call = log.event("inference", {"model": {"identity": "exact", "requested": "credit-8b-2026-09-01"}, "outcome": "ok", "status": 200}, [answer], ms=5, after=[opened["id"]])
        end = log.event("decision.closed", {"outcome": "failed" if number % 97 == 0 else "answered"}, after=[call["id"]])
        log.write(decision, [call, end])
    return log


def odd():
    """Decisions whose events are of forms that nobody writes; whoever has the log's key could."""
    log = Log()
    log.write(None, [log.event("recorder.started", {"build": "0.1.0"})])
    deep = json.loads("[" * 400 + "]" * 400)
    bodies = ["text", None, 7, [], {"model": None}, {"model": "x", "outcome": {"a": 1}}, {"__proto__": {"polluted": 1}, "constructor": 1}, {"deep": deep}, {"part": "x", "of": []}, {"action": {"x": []}}]
    members = [{"after": 5}, {"after": [5]}, {"after": {}}, {"subjects": "x"}, {"capture": None}, {"capture": "x"}, {"seq": {}}, {"started_at": 9, "ended_at": []}, {"parent": []}, {"payloads": {}}, {"payloads": [None]}]
    kinds = ["__proto__", "constructor", "", "human", "delivery", "decision.closed", "erasure", "inference", "x" * 5_000]
    roles = [{"role": "__proto__", "state": "constructor"}, {"role": "toString", "state": "erased", "reason": {}}, {"role": "x", "state": "present", "commitment": 5, "first": {}}, {"role": "x", "state": "present", "sha256": [], "media_type": {}}]
    odd = [log.event("inference", body) for body in bodies] + [{**log.event("inference", {}), **member} for member in members] + [log.event(kind, bodies[number]) for number, kind in enumerate(kinds)]
    odd += [log.event("inference", {}, [{"payload": log.id(), **role}]) for role in roles]
    for event in odd:
        log.write(log.id(), [event])
    log.write(None, [log.event("erasure", {"keys": 5, "subjects": {}})])
    log.write(None, [log.event("gap", None)])
    return log


def sealed_and_not_disclosed():
    """Sealed bytes are given out whatever is disclosed."""
    log, decision = Log(), uuid(0xAAAA)
    payloads = [log.payload("input.raw", b"{}", disclose=False), log.payload("output.final", b"{}")]
    log.write(decision, [log.event("decision.opened", {"route": "score"}, payloads)])
    return log, {"classes": [], "roles": ["output.final"], "sealed": True}


def withheld_by_a_hold():
    """An erasure of a person from which a hold withholds the key of what is disclosed; and a purge that the hold kept it from."""
    log, decision, hold = Log(), uuid(0xAAAA), uuid(0xBBBB)
    opened = log.event("decision.opened", {"route": "score"}, [log.payload("input.raw", b"{}")], subjects=[ERASED])
    log.write(decision, [opened])
    log.write(None, [log.event("hold.placed", {"basis": "internal", "hold": hold, "scope": {"decisions": [decision]}})])
    intent = log.event("erasure", {"decisions": 0, "keys": ["8.1"], "order": "request", "phase": "intent", "subjects": [ERASED], "withheld": 1})
    withheld = {"decisions": 0, "holds": [hold], "intent": intent["id"], "keys": ["1.7"], "order": "request", "phase": "withheld", "refusals": ["hold"]}
    log.write(None, [log.event("erasure", {**withheld, "withheld": 1}), intent])
    log.write(None, [log.event("purge", {"bytes": 1, "class": "default", "entries": 1, "first": 0, "kept": 1, "last": 0, "payloads": 0, "policy": "p/1", "what": "payloads"})])
    return log, None
