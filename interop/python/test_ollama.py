"""Ollama's own client through the gateway, to transcripts of its server. What the client read is what the record must say."""

import json

import ollama
import pytest

import transcripts
from passage import assert_answered, assert_failed

TRANSCRIPTS = transcripts.load()
FINISHES = {"stop": "stop", "length": "length", "load": "other", "unload": "other"}


@pytest.fixture
def ask(answer_with):
    """Has the client ask what the transcript asks: the parts of the answer, and what passed."""

    def ask(transcript, **way):
        path = answer_with(transcript, **way)
        client = ollama.Client(host=path.url)
        asked = json.loads(transcript.request)
        operation = getattr(client, transcript.path.rsplit("/", 1)[1])
        if transcript.is_stream:
            # The server streams unless it is asked not to, the client only if it is asked to.
            asked["stream"] = True
        said = operation(**asked)
        parts = list(said) if transcript.is_stream else [said]
        return parts, path.passed()

    return ask


def joined(parts, read):
    return "".join(read(part) or "" for part in parts)


def assert_same(passage, parts, wire, streams):
    """The clear fields, as the client's last part has them."""
    last = parts[-1]
    usage = {"input": last.prompt_eval_count, "output": getattr(last, "eval_count", None)}
    usage = {name: count for name, count in usage.items() if count is not None} or None
    assert_answered(passage, wire=wire, stream=streams, usage=usage)
    assert (passage.model["requested"], passage.model["returned"]) == (passage.asked["model"], last.model)
    assert passage.model["absent"]["fingerprint"] == "not_on_wire"


# Empty lines between the objects, which the client does not read; `test_replay.py` does.
UNREAD = {"ollama-crlf"}


@pytest.mark.parametrize("name", sorted(set(transcripts.well_formed("ollama", "/api/chat")) - UNREAD))
def test_a_chat(ask, name):
    parts, passage = ask(TRANSCRIPTS[name], piece_bytes=33)
    assert_same(passage, parts, "ollama_chat", TRANSCRIPTS[name].is_stream)
    assert passage.inference.body.get("finish_reason") == FINISHES.get(parts[-1].done_reason)
    thought = joined(parts, lambda part: part.message.thinking)
    assert passage.reasoning() == ([("full", thought)] if thought else [])


@pytest.mark.parametrize("name", transcripts.well_formed("ollama", "/api/generate"))
def test_a_completion(ask, name):
    parts, passage = ask(TRANSCRIPTS[name], piece_bytes=33)
    assert_same(passage, parts, "ollama_generate", TRANSCRIPTS[name].is_stream)
    assert passage.inference.body.get("finish_reason") == FINISHES.get(parts[-1].done_reason)
    assert ("user" in passage.prompts()) == bool(passage.asked.get("prompt"))


@pytest.mark.parametrize("name", transcripts.well_formed("ollama", "/api/embed"))
def test_embeddings(ask, name):
    parts, passage = ask(TRANSCRIPTS[name])
    assert parts[0].embeddings == passage.answer["embeddings"]
    assert_same(passage, parts, "ollama_embed", False)


def of_errors(is_stream):
    return [
        name for name, each in TRANSCRIPTS.items()
        if each.wire == "ollama" and "response.error" in each.facts and each.is_stream == is_stream
    ]


@pytest.mark.parametrize("name", of_errors(False) + of_errors(True))
def test_an_error(answer_with, name):
    transcript = TRANSCRIPTS[name]
    path = answer_with(transcript)
    operation = getattr(ollama.Client(host=path.url), transcript.path.rsplit("/", 1)[1])
    streams = {"stream": True} if transcript.is_stream else {}
    with pytest.raises(ollama.ResponseError) as raised:
        list(operation(**json.loads(transcript.request) | streams))
    # The client leaves as soon as it is told.
    passage = path.broken()
    assert_failed(passage, passage.inference.body["error"], transcript.facts["response.error"][0])
    assert transcript.facts["response.error"][0] in raised.value.error
    assert passage.inference.body["status"] == transcript.status


def test_control_passes_unrecorded(answer_with):
    transcript = TRANSCRIPTS[transcripts.well_formed("ollama", "/api/chat")[0]]
    path = answer_with(transcript.answering(b'{"models":[]}'), framing="length")
    before = path.log.find()
    assert ollama.Client(host=path.url).list().models == []
    assert path.log.find() == before
