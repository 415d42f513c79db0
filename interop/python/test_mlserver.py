"""MLServer behind the gateway: every answer is the one that MLServer gives, and every record says what was."""

import json
import time
from dataclasses import dataclass

import httpx
import pytest

from cases import CASES, Case
from reader import Story, nanoseconds

# What concerns a connection or a moment, not the answer.
PASSING_HEADERS = {"date", "content-length", "connection", "inferlog-decision-id"}
# Where MLServer puts the id that it mints.
ID_HEADERS = {"ce-id", "ce-requestid"}
CALLER = {
    "accept-encoding": "identity",
    "x-applicant-id": "applicant-4711",
    "x-request-id": "request-17",
    "x-variant": "b",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "authorization": "Bearer not-to-be-recorded",
}
ERRORS = {400: "bad_request", 404: "not_found", 422: "bad_request", 500: "upstream_error"}
RECORDED = [case for case in CASES if case.gateway == "records"]


@dataclass
class Exchange:
    """A case, the two answers to it, and what the gateway recorded of the second."""

    case: Case
    direct: httpx.Response
    answer: httpx.Response
    story: Story
    began_ns: int
    ended_ns: int

    @property
    def id(self):
        return self.case.id or (self.answer.json()["id"] if self.case.status == 200 else None)


def ask(url, case):
    return httpx.request(case.method, url + case.path, content=case.body, headers={**case.headers(), **CALLER})


@pytest.fixture(scope="module", params=RECORDED, ids=lambda case: case.name)
def exchange(request, mlserver_url, gateway):
    case = request.param
    direct = ask(mlserver_url, case)
    began = time.time_ns()
    answer = ask(gateway.url, case)
    ended = time.time_ns()
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    return Exchange(case, direct, answer, story, began, ended)


def without_id(body, case):
    """The body with the id that MLServer minted taken out, byte for byte the rest."""
    if case.status != 200 or case.id:
        return body
    return body.replace(json.loads(body)["id"].encode(), b"<id>")


def test_the_answer_is_the_models(exchange):
    case, direct, answer = exchange.case, exchange.direct, exchange.answer
    assert answer.status_code == direct.status_code == case.status
    assert without_id(answer.content, case) == without_id(direct.content, case)
    leave_out = PASSING_HEADERS | (set() if case.id else ID_HEADERS)
    pick = lambda headers: {name: headers[name] for name in headers if name not in leave_out}
    assert pick(answer.headers) == pick(direct.headers)
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_the_opening_says_what_was_asked(exchange):
    case, opened = exchange.case, exchange.story["decision.opened"]
    is_v1 = case.path.startswith("/v1/")
    assert opened.body["method"] == case.method.lower()
    assert opened.body["wire"] == ("kserve_v1" if is_v1 else "oip_rest")
    assert opened.body["route"] == ("credit-v1" if is_v1 else "credit")
    context = {"environment": "unspecified"} if is_v1 else {"environment": "test", "build": "2026.7", "variant": "b"}
    assert opened.body["context"] == context
    assert (opened.role, opened.purposes, opened.sampling) == ("deployer", ["a", "b", "c"], "all")
    assert opened["input.raw"].content == case.body
    declared = {"application/json": "application/json", "text/plain": "text/plain"}
    assert opened["input.raw"].media_type == declared.get(case.content_type, "application/json")
    ids = {"x-request-id": CALLER["x-request-id"], "traceparent": CALLER["traceparent"]}
    assert opened["external_ids"].json() == ids | ({"id": case.id} if case.id else {})


def test_headers_are_recorded_by_an_allow_list(exchange):
    case, story = exchange.case, exchange.story
    sent = story["decision.opened"]["headers"].json()
    assert sent.pop("user-agent").startswith("python-httpx/")
    expected = {":method": case.method, ":path": case.path, "accept": "*/*", "content-length": str(len(case.body))}
    assert sent == expected | case.headers() | {name: CALLER[name] for name in ("traceparent", "x-request-id")}
    received = story["inference"]["headers"].json()
    # MLServer's own length, whatever the gateway's framing.
    assert received.pop("content-length") == str(len(exchange.answer.content))
    names = ("content-type", "date", "server")
    assert received == {":status": str(case.status)} | {name: exchange.answer.headers[name] for name in names}
    assert "not-to-be-recorded" not in json.dumps(story.told)


def test_the_inference_says_what_was_answered(exchange):
    case, answer, inference = exchange.case, exchange.answer, exchange.story["inference"]
    assert inference.body["status"] == case.status
    assert inference.body["wire"] == exchange.story["decision.opened"].body["wire"]
    assert 0 < inference.body["time_to_first_byte_ns"] <= exchange.ended_ns - exchange.began_ns
    assert inference["input.assembled"].content == case.body
    assert inference["input.assembled"].first == exchange.story["decision.opened"].id
    assert inference["output.raw"].content == answer.content
    assert inference["output.raw"].media_type == case.answer_type.split(";")[0]
    ids = {"cloudevents.id": exchange.id} if case.status == 200 else {}
    if case.status == 200 and not case.id:
        ids["id"] = exchange.id
    assert ("external_ids" in inference) == bool(ids)
    assert not ids or inference["external_ids"].json() == ids


def test_the_model_is_named_as_far_as_it_is_known(exchange):
    case, inference, story = exchange.case, exchange.story["inference"], exchange.story
    model, absent = dict(inference.body["model"]), {"deployment": "not_configured", "digest": "not_configured"}
    absent["fingerprint"] = "not_on_wire"
    if case.status == 200:
        expected = {"requested": "credit", "returned": "credit", "version": "v0.1.0", "identity": "exact"}
        assert "unlisted" not in inference
    else:
        # Names that no success confirmed are the caller's text: sealed.
        unlisted = {"model.requested": "nobody" if "nobody" in case.path else "credit"}
        expected = {"requested": "unlisted", "identity": "alias"}
        absent["returned"] = absent["version"] = "not_on_wire" if case.path.startswith("/v1/") else "not_answered"
        if "/versions/" in case.path:
            unlisted["model.version"] = expected["version"] = "v9"
            expected |= {"version": "unlisted", "identity": "exact"}
            del absent["version"]
        assert inference["unlisted"].json() == unlisted
    assert model == expected | {"absent": absent}
    named = {name: story.told.get(name) for name in ("model", "model_version", "model_identity")}
    wanted = (expected.get("returned", "unlisted"), expected.get("version"), expected["identity"])
    assert tuple(named.values()) == wanted


def test_parameters_are_kept_apart(exchange):
    case, inference = exchange.case, exchange.story["inference"]
    sent = json.loads(case.body).get("parameters") if case.readable else None
    requested = inference["params.requested"]
    if sent is None:
        assert (requested.state, requested.reason) == ("not_captured", "not_provided")
    else:
        assert requested.json() == sent
    if case.status == 200:
        assert inference["params.effective"].json() == exchange.answer.json()["parameters"]
    else:
        assert inference["params.effective"].reason == "not_visible"


def test_the_end_is_told_as_it_was(exchange):
    case, story = exchange.case, exchange.story
    closed, inference = story["decision.closed"], story["inference"]
    if case.status == 200:
        assert story.kinds() == ["decision.opened", "inference", "output", "decision.closed"]
        assert (story.told["outcome"], inference.body["outcome"]) == ("answered", "ok")
        assert closed.body == {"exchange": "complete", "outcome": "answered", "status": 200}
        assert "error" not in inference.body and "error" not in inference and "error" not in closed
        return
    code = ERRORS[case.status]
    assert story.kinds() == ["decision.opened", "inference", "decision.closed"]
    assert (story.told["outcome"], inference.body["outcome"], inference.body["error"]) == ("failed", "failed", code)
    assert closed.body == {"exchange": "complete", "outcome": "failed", "status": case.status, "error": code}
    for error in (inference["error"], closed["error"]):
        assert error.json() == {"code": code, "message": message(exchange)}
    assert closed["error"].first == inference.id


def message(exchange):
    """What MLServer says went wrong: in two shapes of JSON, or as text."""
    if exchange.case.members is None:
        return exchange.answer.text
    (said,) = exchange.answer.json().values()
    return said if isinstance(said, str) else exchange.answer.text.removeprefix('{"detail":').removesuffix("}")


def test_what_is_missing_is_named(exchange):
    case, story = exchange.case, exchange.story
    for event in story.events:
        is_partial = event.kind == "decision.opened" and not case.readable
        assert event.capture["completeness"] == ("partial" if is_partial else "complete")
        assert (event.capture["bytes_dropped"], event.capture["method"]) == (0, "gateway")
        for payload in event.payloads.values():
            assert payload.state == ("not_captured" if payload.reason else "present")
            assert payload.verified == (None if payload.reason else True), payload.told
    missing = {
        f"{event.kind}.payloads[{role}]": payload.reason
        for event in story.events for role, payload in event.payloads.items() if payload.reason
    }
    assert story.missing() == missing
    if case.status == 200:
        assert missing.pop("output.payloads[output.processed]") == "not_visible"
        assert missing.pop("output.payloads[output.final]") == "not_visible"
    assert missing.keys() <= {"inference.payloads[params.requested]", "inference.payloads[params.effective]"}


@pytest.fixture(scope="module")
def pseudonym(gateway):
    """What the record calls the person that all cases are about."""
    answer = ask(gateway.url, CASES[0])
    (pseudonym,) = gateway.log.show(answer.headers["inferlog-decision-id"]).told["subjects"]
    return pseudonym


def test_one_pseudonym_stands_for_the_person(exchange, pseudonym):
    story = exchange.story
    # The route to KServe v1 does not say where a person stands.
    subjects = [] if exchange.case.path.startswith("/v1/") else [pseudonym]
    assert story.told["subjects"] == subjects
    assert all((event.subjects or []) == subjects for event in story.events)
    assert CALLER["x-applicant-id"] not in json.dumps(story.told)


def test_times_are_in_order(exchange):
    opened, inference, closed = (exchange.story[kind] for kind in ("decision.opened", "inference", "decision.closed"))
    times = [opened.started_at, opened.logged_at, inference.started_at, inference.ended_at, inference.logged_at]
    times = [exchange.began_ns, *map(nanoseconds, times), exchange.ended_ns]
    assert times == sorted(times)
    assert nanoseconds(inference.ended_at) <= nanoseconds(closed.ended_at)
    assert nanoseconds(closed.ended_at) <= nanoseconds(closed.logged_at) == nanoseconds(inference.logged_at)
    told = exchange.story.told
    assert (told["started_at"], told["ended_at"]) == (opened.started_at, closed.ended_at)
    first_byte = nanoseconds(inference.started_at) + inference.body["time_to_first_byte_ns"]
    assert first_byte <= nanoseconds(inference.ended_at)


def test_cause_leads_from_step_to_step(exchange):
    events = exchange.story.events
    for before, event in zip(events, events[1:]):
        assert event.after == [before.id] or event.after == [events[1].id], event.told
    assert "after" not in events[0].told["event"]
    assert exchange.story.is_proved()


@pytest.mark.parametrize("case", [case for case in CASES if case.gateway == "passes"], ids=lambda case: case.name)
def test_what_is_no_inference_passes_unrecorded(mlserver_url, gateway, case):
    before = gateway.log.find()
    direct, answer = ask(mlserver_url, case), ask(gateway.url, case)
    assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
    assert answer.headers["allow"] == direct.headers["allow"]
    assert "inferlog-decision-id" not in answer.headers
    assert gateway.log.find() == before


def test_metadata_passes(mlserver_url, gateway):
    for path in ("/v2", "/v2/models/credit", "/v2/health/ready"):
        direct, answer = httpx.get(mlserver_url + path), httpx.get(gateway.url + path)
        assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
        assert "inferlog-decision-id" not in answer.headers


# MLServer answers the first three with inferences, too.
UNKNOWN = ["/v2/models/credit/infer_stream", "/v2/models/credit/generate", "/v2/models/credit/generate_stream"]
UNKNOWN += ["//v2/models/credit/infer", *(case.path for case in CASES if case.gateway == "refuses")]


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_no_route_records_is_refused(gateway, path):
    before = gateway.log.find()
    answer = httpx.post(gateway.url + path, content=CASES[0].body, headers=CASES[0].headers())
    assert (answer.status_code, answer.json()["code"]) == (404, "no_route")
    assert "inferlog-decision-id" not in answer.headers
    assert gateway.log.find() == before
