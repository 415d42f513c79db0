"""What stays provable: a person erased, the log verified while the gateway runs and after it stopped."""

import json

import httpx
import pytest

import servers
from cases import ANSWERED, INFER, REFUSED, body

JSON = {"content-type": "application/json"}


@pytest.fixture
def own(tmp_path, mlserver_url):
    flags = ["--system", "credit-scoring", "--upstream", mlserver_url, "--subject-header", "x-applicant-id"]
    with servers.gateway(tmp_path, *flags) as gateway:
        yield gateway


def decide(gateway, case, subject):
    headers = {**case.headers(), "x-applicant-id": subject}
    answer = httpx.post(gateway.url + case.path, content=case.body, headers=headers)
    return answer.headers["inferlog-decision-id"]


def test_an_erased_person_is_unreadable_and_everything_stays_provable(own):
    log, vkey = own.log, own.log.vkey()
    cases = [ANSWERED[0], REFUSED[0], ANSWERED[-1]]
    theirs = [decide(own, case, "Ada Lovelace") for case in cases]
    others = [decide(own, case, "Grace Hopper") for case in cases]
    before = {decision: log.show(decision) for decision in theirs + others}
    assert log.verify("--key", vkey)["ok"]
    kept = log.data.parent / "kept.checkpoint"
    kept.write_bytes(log.checkpoint().read_bytes())

    erased = log.erase("Ada Lovelace")
    assert (erased["system"], erased["decisions"], erased["leftovers"]) == ("credit-scoring", len(theirs), [])
    assert "old_root_kept" not in erased
    assert "Lovelace" not in json.dumps(erased)
    for decision in theirs:
        assert_erased(log.show(decision), before[decision], erased["intent"])
    for decision in others:
        assert contents(log.show(decision)) == contents(before[decision])

    # The person returns as somebody else, and the erased stay erased.
    again = log.show(decide(own, ANSWERED[0], "Ada Lovelace"))
    assert again.told["subjects"] != before[theirs[0]].told["subjects"]
    assert again["decision.opened"]["input.raw"].content == ANSWERED[0].body
    nobody = log.run("erase", "--subject", "Alan Turing", "--yes", "--json", status=1, opens=True)
    assert json.loads(nobody) == {"erased": []}

    report = log.verify("--key", vkey, "--against", kept)
    assert (report["ok"], report["fault_count"], report["faults"]) == (True, 0, [])
    (held,) = report["against"]
    assert held["unchanged"] and held["key_from"] == "given"
    assert report["logs"][0]["key_from"] == "given"


def assert_erased(story, before, intent):
    """The clear fields stand as they did; the contents are gone, by this order."""
    assert story.is_proved()
    assert [event.told["event"] for event in story.events] == [event.told["event"] for event in before.events]
    for event, was in zip(story.events, before.events):
        for role, payload in event.payloads.items():
            if was[role].state != "present":
                assert payload.told == was[role].told
                continue
            assert (payload.state, payload.reason) == ("erased", f"erased_by_order:{intent}")
            assert payload.content is None and payload.verified is None
            if payload.first is None:
                why = story.missing()[f"{event.kind}.payloads[{role}]"]
                assert why.startswith(f"erased under the erasure event {intent}")
    for member in ("outcome", "model", "model_version", "subjects", "started_at", "ended_at"):
        assert story.told.get(member) == before.told.get(member)


def contents(story):
    payloads = ((event.kind, event.payloads.items()) for event in story.events)
    return [(kind, role, payload.content) for kind, payloads in payloads for role, payload in payloads]


def test_the_log_outlives_its_gateway(tmp_path, mlserver_url):
    flags = ["--system", "credit-scoring", "--upstream", mlserver_url]
    with servers.gateway(tmp_path, *flags) as gateway:
        answer = httpx.post(gateway.url + INFER, content=body(id="before"), headers=JSON)
        log, decision = gateway.log, answer.headers["inferlog-decision-id"]
        live = log.show(decision)
    vkey = log.vkey()
    assert contents(log.show(decision)) == contents(live)
    stopped = log.verify("--key", vkey)
    assert stopped["ok"]
    with servers.gateway(tmp_path, *flags) as gateway:
        assert contents(log.show(decision)) == contents(live)
        httpx.post(gateway.url + INFER, content=body(id="after"), headers=JSON)
        assert log.vkey() == vkey
        assert len(log.find()) == 2
    later = log.verify("--key", vkey)
    assert later["ok"] and later["size"] > stopped["size"]


def test_a_changed_byte_is_found(tmp_path, mlserver_url):
    with servers.gateway(tmp_path, "--system", "credit-scoring", "--upstream", mlserver_url) as gateway:
        httpx.post(gateway.url + INFER, content=body(), headers=JSON)
    log, vkey = gateway.log, gateway.log.vkey()
    assert log.verify("--key", vkey)["ok"]
    partial = log.data.glob("logs/credit-scoring/*/*/tile/entries/*.p/*")
    bundle = max(partial, key=lambda path: int(path.name))  # the checkpoint's; smaller ones are of earlier checkpoints
    changed = bytearray(bundle.read_bytes())
    at = changed.index(b'"answered"')
    changed[at : at + 10] = b'"refused" '
    bundle.write_bytes(changed)
    report = json.loads(log.run("verify", "--json", "--key", vkey, status=1))
    assert not report["ok"]
    assert str(bundle.relative_to(log.data)) in {fault["file"] for fault in report["faults"]}


def test_the_log_of_all_other_tests_verifies(gateway):
    """Last of the suite: it verifies what the tests before it left behind."""
    found = gateway.log.find()
    report = gateway.log.verify("--key", gateway.log.vkey())
    assert (report["ok"], report["fault_count"], report["faults"]) == (True, 0, [])
    assert report["logs"][0]["key_from"] == "given"
    assert report["size"] >= sum(decision["entries"] for decision in found.values())
