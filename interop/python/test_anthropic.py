"""Anthropic's own client, through the gateway, to LiteLLM's proxy. What the client read is what the record must say."""

import json

import anthropic
import pytest

from passage import assert_answered, assert_failed
from sayings import CALLS, TEXT
from servers import LITELLM_KEY

PINNED = "claude-opus-4-5-20251101"
SYSTEM = "You judge applications for credit."
MESSAGES = [{"role": "user", "content": "May applicant 4711 have 10,000 €?"}]
PROMPTS = ["system", "user"]
TOOLS = [
    {
        "name": name, "description": "Looks it up.",
        "input_schema": {"type": "object", "properties": {"applicant": {"type": "integer"}}},
    }
    for name in ("look_up_income", "look_up_debts")
]
WHOLE_OR_STREAMED = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def client(litellm):
    with anthropic.Anthropic(base_url=litellm.url, auth_token=LITELLM_KEY, max_retries=0) as client:
        yield client


def say(client, streams, **asked):
    """The message, by the client's own way to put a stream together."""
    asked = {"model": PINNED, "max_tokens": 200, "messages": MESSAGES, **asked}
    if not streams:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def usage_of(usage):
    """Tokens as the record has them: those that came from a cache or went into one are read, too."""
    cached, created = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    told = {"input": usage.input_tokens + (cached or 0) + (created or 0), "output": usage.output_tokens}
    return told if cached is None else told | {"cached": cached}


@WHOLE_OR_STREAMED
def test_a_message(client, litellm, streams):
    said = say(client, streams, system=SYSTEM, stop_sequences=["###"], extra_body={"temperature": 0.2})
    passage = litellm.passed()
    assert said.content[0].text == TEXT
    assert_answered(
        passage, wire="anthropic_messages", stream=streams, finish_reason="stop", usage=usage_of(said.usage)
    )
    model = dict(passage.model)
    absent = model.pop("absent")
    assert model == {"requested": PINNED, "returned": PINNED, "identity": "exact"}
    assert absent["version"] == absent["fingerprint"] == "not_on_wire"
    assert passage.prompts() == PROMPTS
    params = passage.inference["params.requested"].json()
    assert params == {"max_tokens": 200, "temperature": 0.2, "stop_sequences": ["###"]}
    assert passage.inference["external_ids"].json()["id"] == said.id
    if streams:
        assert passage.front.answered.body.endswith(b'data: {"type": "message_stop"}\n\n')


@WHOLE_OR_STREAMED
def test_tools_that_are_called_in_parallel(client, litellm, streams):
    said = say(client, streams, model="tools", tools=TOOLS, tool_choice={"type": "any"})
    passage = litellm.passed()
    assert [(block.id, block.name, block.input) for block in said.content if block.type == "tool_use"] == CALLS
    assert_answered(passage, stream=streams, finish_reason="tool_calls", usage=usage_of(said.usage))
    assert passage.inference["tools"].json() == TOOLS
    assert passage.inference["params.requested"].json()["tool_choice"] == {"type": "any"}


def test_a_stream_passes_at_the_speed_of_the_model(client, litellm):
    say(client, True, model="slow")
    passage = litellm.passed()
    front, back = passage.front, passage.back
    assert back.when(b"message_stop") - back.when(b"message_start") > 1
    assert front.when(b"Grant") - back.when(b"Grant") < 0.2
    assert front.when(b" cove") - back.when(b" cove") < 0.2


ERRORS = {
    400: (anthropic.BadRequestError, "bad_request"),
    401: (anthropic.AuthenticationError, "unauthorized"),
    403: (anthropic.PermissionDeniedError, "forbidden"),
    404: (anthropic.NotFoundError, "not_found"),
    429: (anthropic.RateLimitError, "rate_limited"),
    500: (anthropic.InternalServerError, "upstream_error"),
}


@pytest.mark.parametrize("status", ERRORS)
def test_an_error(client, litellm, status):
    error, code = ERRORS[status]
    with pytest.raises(error) as raised:
        say(client, False, model=f"status-{status}")
    passage = litellm.passed()
    assert raised.value.status_code == passage.inference.body["status"] == status
    assert_failed(passage, code, f"canned {status}")
    assert passage.inference["error"].json()["message"] == raised.value.body["error"]["message"]
    assert passage.model["requested"] == "unlisted"
    assert passage.inference["unlisted"].json()["model.requested"] == f"status-{status}"


@pytest.mark.parametrize(("model", "words"), [("breaks", "overloaded in the middle"), ("status-429", "canned 429")])
def test_an_error_in_a_stream_that_began_well(client, litellm, model, words):
    """LiteLLM begins a stream before it knows of the error: status 200, then an event `error`, and no end."""
    with pytest.raises(anthropic.APIStatusError, match=words):
        say(client, True, model=model)
    # The client leaves as soon as it is told.
    passage = litellm.broken()
    assert b"message_stop" not in passage.front.answered.body
    assert (passage.inference.body["status"], passage.inference.body["stream"]) == (200, True)
    told = json.loads(passage.front.answered.body.split(b"event: error\ndata: ")[1])
    code = {"overloaded_error": "unavailable", "rate_limit_error": "rate_limited"}[told["error"]["type"]]
    assert_failed(passage, code, told["error"]["message"])


def test_an_unknown_model(client, litellm):
    with pytest.raises(anthropic.BadRequestError, match="Invalid model name"):
        say(client, False, model="nobody")
    passage = litellm.passed()
    assert_failed(passage, "bad_request", "Invalid model name")
    assert passage.inference["unlisted"].json() == {"model.requested": "nobody"}


def test_counting_tokens_is_no_inference(client, litellm):
    before = litellm.log.find()
    client.messages.count_tokens(model=PINNED, messages=MESSAGES)
    assert litellm.log.find() == before


def test_batches_are_refused(client, litellm):
    """Their answers come on another request, which no route would record."""
    request = {"custom_id": "a", "params": {"model": PINNED, "max_tokens": 9, "messages": MESSAGES}}
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.batches.create(requests=[request])
    assert raised.value.response.json()["code"] == "no_route"
