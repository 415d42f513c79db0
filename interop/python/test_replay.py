"""Frozen exchanges with language models, replayed in every way that a network and a server may send them.

The record must state the facts that the Rust tests find in the same bytes, however the bytes came."""

import json
import re

import httpx
import pytest

import transcripts
from passage import plain

TRANSCRIPTS = transcripts.load()
CLIENT = httpx.Client(timeout=20)
# One is an error in a stream's place, under the stream's type.
EVENTS = [
    name for name, each in TRANSCRIPTS.items()
    if each.media_type == "text/event-stream" and not each.response.startswith(b"{")
]
STREAMS = [name for name, each in TRANSCRIPTS.items() if each.is_stream]
WHOLE = [
    name for name in STREAMS
    if not TRANSCRIPTS[name].facts.keys() & {"response.broken_off", "response.gap", "response.error"}
]
WAYS = {
    "until the connection closes": {"framing": "close"},
    "byte by byte": {"piece_bytes": 1},
    "brotli": {"coding": "br", "framing": "length"},
}
# The ways that matter only where an answer is passed on before it is whole.
STREAM_WAYS = {
    "with its length": {"framing": "length"},
    "in pieces of 7": {"piece_bytes": 7},
    "in pieces of 100": {"piece_bytes": 100, "framing": "length"},
    "gzip": {"coding": "gzip", "piece_bytes": 50},
    "deflate": {"coding": "deflate"},
}


def ask(path, transcript, **options):
    """The transcript's request, as raw as it is; the answer's body, if it did not break off."""
    headers = {"content-type": "application/json", "accept-encoding": "identity", **transcript.request_headers}
    url = path.url + transcript.path
    with CLIENT.stream(transcript.method, url, content=transcript.request, headers=headers) as answer:
        return b"".join(answer.iter_raw())


@pytest.fixture(scope="module")
def had():
    """What passed of transcripts that came in one piece."""
    return {}


@pytest.fixture
def usual(answer_with, had):
    """What passes when a transcript comes in one piece."""

    def usual(transcript):
        if transcript.name not in had:
            path = answer_with(transcript)
            assert ask(path, transcript) == transcript.response
            had[transcript.name] = path.passed()
        return had[transcript.name]

    return usual


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_record_states_the_facts(usual, name):
    transcript = TRANSCRIPTS[name]
    assert_facts(usual(transcript), transcript.facts)


def assert_facts(passage, facts):
    story, inference, opened = passage.story, passage.inference, passage.story["decision.opened"]
    broken_off = "response.broken_off" in facts and "response.error" not in facts
    failed = broken_off or "response.error" in facts or passage.front.answered.status >= 300
    (finish,) = facts.get("response.finish", [None])
    finish = finish and snake(finish.split(": ")[0])
    said_no = finish in ("refusal", "content_filter")
    assert inference.body["outcome"] == ("failed" if failed else "refused" if said_no else "ok")
    assert story.told["outcome"] == ("failed" if failed else "answered")
    assert inference.body.get("finish_reason") == finish
    if broken_off:
        assert inference.body["error"] == "connection_lost"
    unlisted = inference["unlisted"].json() if "unlisted" in inference else {}
    for fact, field in (
        ("request.model", "requested"), ("response.model", "returned"), ("response.version", "version"),
        ("response.fingerprint", "fingerprint"), ("deployment", "deployment"),
    ):
        (name,) = facts.get(fact, [None])
        told = inference.body["model"].get(field)
        assert (unlisted[f"model.{field}"] if told == "unlisted" else told) == name, field
        if not failed:
            assert told == name, f"{field} was confirmed by a success"
    assert inference.body.get("usage") == usage(facts)
    if "response.choices" in facts:
        assert inference.body.get("choices", 1) == int(facts["response.choices"][0])
    assert_payload(facts, "request.params", inference, "params.requested")
    assert_payload(facts, "response.params", inference, "params.effective")
    assert_payload(facts, "request.tools", inference, "tools")
    prompts = [snake(fact.rpartition(".")[2]) for fact, _ in several(facts, "request.prompt.")]
    assert sorted(passage.prompts()) == sorted(prompts)
    reasoning = [(snake(fact.rpartition(".")[2]), words) for fact, words in several(facts, "response.reasoning.")]
    found = passage.reasoning()
    assert len(found) == len(reasoning)
    for (form, words), (wanted_form, wanted) in zip(sorted(found), sorted(reasoning)):
        assert form == wanted_form and is_told(words, wanted)
    for fact, event in (("request.gap", opened), ("response.gap", inference)):
        assert event.capture["completeness"] == ("partial" if fact in facts else "complete"), fact
    if "response.error" in facts:
        told = inference["error"].json()
        assert is_told(told["message"], facts["response.error"][0])
        assert told["code"] == inference.body["error"]
        if "response.error_code" in facts:
            assert told["code"] == snake(facts["response.error_code"][0])
    if "response.id" in facts:
        assert inference["external_ids"].json()["id"] == facts["response.id"][0]


def several(facts, prefix):
    return [(fact, value) for fact, values in facts.items() if fact.startswith(prefix) for value in values]


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def usage(facts):
    if "response.usage" not in facts:
        return None
    found = re.fullmatch(r"(\S+) in \((\S+) cached\), (\S+) out \((\S+) reasoning\)", facts["response.usage"][0])
    counts = zip(("input", "cached", "output", "reasoning"), found.groups())
    return {name: int(count) for name, count in counts if count != "?"}


def assert_payload(facts, fact, event, role):
    if fact not in facts:
        assert role not in event or event[role].reason
        return
    assert is_told(event[role].content.decode(), facts[fact][0]), (role, event[role].content, facts[fact])


def is_told(text, fact):
    """Facts are trimmed, and long ones are told by their beginning and their length."""
    if short := re.fullmatch(r"(.*)… \((\d+) bytes\)", fact, re.DOTALL):
        return text.startswith(short[1]) and len(text.encode()) == int(short[2])
    return text.rstrip() == fact


def in_turn(names, *choices):
    """Each name with one of the choices, so that every choice has its turn; the Rust tests try all on all."""
    return [(name, choices[at % len(choices)]) for at, name in enumerate(names)]


WAYS_IN_TURN = in_turn(TRANSCRIPTS, *WAYS) + in_turn(STREAMS, *STREAM_WAYS)


@pytest.mark.parametrize(("name", "way"), WAYS_IN_TURN)
def test_the_way_it_came_does_not_change_the_record(answer_with, usual, name, way):
    transcript = TRANSCRIPTS[name]
    expected = essence(usual(transcript).story)
    path = answer_with(transcript, **(WAYS | STREAM_WAYS)[way])
    body = ask(path, transcript)
    passage = path.passed()
    assert plain(passage.front.answered) == transcript.response
    assert body == passage.back.answered.body
    assert essence(passage.story) == expected


@pytest.mark.parametrize(("name", "change"), in_turn(EVENTS, transcripts.with_crlf, transcripts.with_comments))
def test_what_no_reader_of_events_may_notice(answer_with, usual, name, change):
    transcript = TRANSCRIPTS[name]
    expected = essence(usual(transcript).story)
    changed = transcript.answering(change(transcript.response))
    path = answer_with(changed, piece_bytes=11)
    assert ask(path, changed) == changed.response
    found = essence(path.passed().story)
    for each in found + expected:
        each["payloads"] = {role: told for role, told in each["payloads"].items() if role != "output.raw"}
    assert found == expected


def essence(story):
    """A record without what differs from one exchange to the next: ids, times, and how the body was framed."""
    told = []
    for event in story.events:
        body = {name: value for name, value in event.body.items() if name != "time_to_first_byte_ns"}
        body["prompts"] = [prompt["role"] for prompt in body.get("prompts", [])]
        payloads = {
            role: payload.content if payload.content is not None else payload.reason
            for role, payload in event.payloads.items() if role != "headers"
        }
        completeness = event.capture["completeness"]
        told.append({"kind": event.kind, "body": body, "payloads": payloads, "completeness": completeness})
    return told


@pytest.mark.parametrize(("name", "share"), in_turn(WHOLE, 0, 0.3, 0.8))
def test_a_stream_that_breaks_off(answer_with, name, share):
    """The client gets what came, and no end; the record says that the upstream broke off, and has what came."""
    transcript = TRANSCRIPTS[name]
    cut = int(len(transcript.response) * share)
    path = answer_with(transcript, cut_at=cut, piece_bytes=40, delay_seconds=0.001)
    with pytest.raises(httpx.TransportError):
        assert ask(path, transcript) is None, "the answer looked whole"
    passage = path.broken()
    got, sent = passage.front.answered.body, passage.back.answered.body
    assert not passage.front.answered.is_whole
    assert sent.startswith(got)
    assert_broken_off(passage, sent)
    assert passage.story["decision.closed"].body["exchange"] == "upstream_abort"
    assert passage.inference.body["error"] == "connection_lost"


def assert_broken_off(passage, sent):
    story, inference = passage.story, passage.inference
    assert story.told["outcome"] == inference.body["outcome"] == "failed"
    assert inference.capture["completeness"] == "partial"
    recorded = inference["output.raw"].content or b""
    assert sent.startswith(recorded) and recorded.startswith(passage.front.answered.body)
    assert "output" not in story.kinds()
    assert story.is_proved(), story.told["problems"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_client_that_leaves_in_the_middle(answer_with, name):
    transcript = TRANSCRIPTS[name]
    path = answer_with(transcript, piece_bytes=max(len(transcript.response) // 20, 1), delay_seconds=0.03)
    headers = {"content-type": "application/json", **transcript.request_headers}
    url = path.url + transcript.path
    with httpx.stream(transcript.method, url, content=transcript.request, headers=headers) as answer:
        decision = answer.headers["inferlog-decision-id"]
        got = next(answer.iter_raw())
    story = path.log.ended(decision)
    assert story.told["outcome"] == "aborted"
    assert story["decision.closed"].body["exchange"] == "client_abort"
    recorded = story["inference"]["output.raw"].content
    assert recorded.startswith(got) and transcript.response.startswith(recorded)
    assert recorded != transcript.response
    assert story.is_proved(), story.told["problems"]


def test_there_is_a_transcript_of_everything_that_is_hard():
    """What LiteLLM cannot say, and must be among the transcripts."""
    facts = json.dumps([each.facts for each in TRANSCRIPTS.values()])
    for hard in ("response.reasoning", "response.refusal", "content_filter", "response.error_code", "tool_result"):
        assert hard in facts, hard
    assert {each.wire for each in TRANSCRIPTS.values()} == {"openai", "anthropic", "ollama"}
