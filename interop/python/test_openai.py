"""OpenAI's own client, through the gateway, to LiteLLM's proxy. What the client read is what the record must say."""

import json

import openai
import pytest

from sayings import CALLS, OBJECT, TEXT
from passage import assert_answered, assert_failed
from servers import LITELLM_KEY

PINNED = "gpt-4o-2024-08-06"
MESSAGES = [
    {"role": "system", "content": "You judge applications for credit."},
    {"role": "user", "content": "May applicant 4711 have 10,000 €?"},
]
PROMPTS = ["system", "user"]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name, "description": "Looks it up.",
            "parameters": {"type": "object", "properties": {"applicant": {"type": "integer"}}},
        },
    }
    for name in ("look_up_income", "look_up_debts")
]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict", "strict": True,
        "schema": {
            "type": "object", "required": ["granted", "score"], "additionalProperties": False,
            "properties": {"granted": {"type": "boolean"}, "score": {"type": "number"}},
        },
    },
}
USAGE = {"include_usage": True}


@pytest.fixture
def client(litellm):
    with openai.OpenAI(base_url=litellm.url + "/v1", api_key=LITELLM_KEY, max_retries=0) as client:
        yield client


def usage_of(usage):
    """Tokens as the record has them, from a usage of the client's."""
    told = {"input": usage.prompt_tokens, "output": getattr(usage, "completion_tokens", None)}
    details = getattr(usage, "prompt_tokens_details", None)
    told["cached"] = details.cached_tokens if details else None
    details = getattr(usage, "completion_tokens_details", None)
    told["reasoning"] = details.reasoning_tokens if details else None
    return {name: count for name, count in told.items() if count is not None}


def assert_named(passage, name, identity="alias", fingerprint="not_answered"):
    model = dict(passage.model)
    absent = model.pop("absent")
    assert model == {"requested": name, "returned": name, "identity": identity}
    assert absent["fingerprint"] == fingerprint
    assert absent["version"] == "not_on_wire"


def test_a_chat(client, litellm):
    said = client.chat.completions.create(
        model=PINNED, messages=MESSAGES, temperature=0.2, max_tokens=200, seed=7, user="applicant-4711"
    )
    passage = litellm.passed()
    assert said.choices[0].message.content == TEXT
    assert_answered(passage, wire="openai_chat", stream=False, finish_reason="stop", usage=usage_of(said.usage))
    assert_named(passage, PINNED, "exact")
    assert passage.prompts() == PROMPTS
    params = passage.inference["params.requested"].json()
    assert params.items() >= {"temperature": 0.2, "max_tokens": 200, "seed": 7}.items()
    assert "messages" not in params and "model" not in params
    assert passage.inference["external_ids"].json()["id"] == said.id
    assert passage.inference.body.get("choices", 1) == 1


def test_a_streamed_chat(client, litellm):
    chunks = list(client.chat.completions.create(model=PINNED, messages=MESSAGES, stream=True, stream_options=USAGE))
    passage = litellm.passed()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert passage.front.answered.body.endswith(b"data: [DONE]\n\n")
    assert_answered(passage, wire="openai_chat", stream=True, finish_reason="stop", usage=usage_of(chunks[-1].usage))
    assert_named(passage, PINNED, "exact")
    assert passage.inference["external_ids"].json()["id"] == chunks[0].id
    assert passage.prompts() == PROMPTS


def test_a_stream_that_does_not_say_its_usage(client, litellm):
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True))
    passage = litellm.passed()
    assert all(chunk.usage is None for chunk in chunks)
    assert_answered(passage, stream=True, finish_reason="stop", usage=None)
    assert_named(passage, "gpt-4o-mini")


def test_a_stream_passes_at_the_speed_of_the_model(client, litellm):
    """The first words are there long before the last; only the end waits for the record."""
    list(client.chat.completions.create(model="slow", messages=MESSAGES, stream=True))
    passage = litellm.passed()
    front, back, last_word = passage.front, passage.back, "認".encode()
    assert back.when(last_word) - back.when(b"Grant") > 1
    assert front.when(b"Grant") - back.when(b"Grant") < 0.2
    assert front.when(last_word) - back.when(last_word) < 0.2
    assert passage.inference.body["time_to_first_byte_ns"] < 1e9


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_tools_that_are_called_in_parallel(client, litellm, streams):
    more = {"stream_options": USAGE} if streams else {}
    asked = {"model": "tools", "messages": MESSAGES, "tools": TOOLS, "parallel_tool_calls": True}
    if streams:
        with client.chat.completions.stream(**asked, **more) as stream:
            said = stream.get_final_completion()
    else:
        said = client.chat.completions.create(**asked)
    passage = litellm.passed()
    calls = said.choices[0].message.tool_calls
    called = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls]
    assert called == CALLS
    assert_answered(
        passage, wire="openai_chat", stream=streams, finish_reason="tool_calls", usage=usage_of(said.usage)
    )
    assert_named(passage, "tools")
    assert passage.inference["tools"].json() == TOOLS


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_an_answer_of_a_structure(client, litellm, streams):
    asked = {"model": "object", "messages": MESSAGES, "response_format": SCHEMA}
    if streams:
        chunks = list(client.chat.completions.create(stream=True, **asked))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    else:
        text = client.chat.completions.create(**asked).choices[0].message.content
    passage = litellm.passed()
    assert json.loads(text) == OBJECT
    assert_answered(passage, stream=streams, finish_reason="stop")
    assert passage.inference["params.requested"].json()["response_format"] == SCHEMA


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_several_choices(client, litellm, streams):
    said = client.chat.completions.create(model="mocked", messages=MESSAGES, n=2, stream=streams)
    if streams:
        texts = ["", ""]
        for choice in (choice for chunk in said for choice in chunk.choices):
            texts[choice.index] += choice.delta.content or ""
    else:
        texts = [choice.message.content for choice in said.choices]
    passage = litellm.passed()
    assert texts == ["Granted."] * 2
    assert_answered(passage, wire="openai_chat", stream=streams, finish_reason="stop", choices=2)
    assert passage.inference["params.requested"].json()["n"] == 2


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_a_completion(client, litellm, streams):
    prompt = "May applicant 4711 have 10,000 €?"
    more = {"stream": True, "stream_options": USAGE} if streams else {}
    said = client.completions.create(model=PINNED, prompt=prompt, max_tokens=50, **more)
    chunks = list(said) if streams else [said]
    passage = litellm.passed()
    assert "".join(chunk.choices[0].text or "" for chunk in chunks if chunk.choices) == TEXT
    assert_answered(
        passage, wire="openai_completions", stream=streams, finish_reason="stop", usage=usage_of(chunks[-1].usage)
    )
    assert_named(passage, PINNED, "exact")
    assert passage.asked["prompt"] == prompt


def test_embeddings(client, litellm):
    said = client.embeddings.create(model="text-embedding-3-small", input=["10,000 €", "house"])
    passage = litellm.passed()
    assert said.data[0].embedding == [0.25, -0.5]
    assert_answered(passage, wire="openai_embeddings", stream=False, finish_reason=None)
    assert_named(passage, "text-embedding-3-small", fingerprint="not_on_wire")
    assert passage.usage["input"] == said.usage.prompt_tokens
    assert passage.inference["params.requested"].json()["encoding_format"] == "base64"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [PINNED, "tools"])
def test_a_response(client, litellm, model, streams):
    asked = {"model": model, "instructions": MESSAGES[0]["content"], "input": MESSAGES[1]["content"]}
    if streams:
        # LiteLLM's events leave out members that the client's helper `stream` insists on.
        events = list(client.responses.create(stream=True, **asked))
        said = events[-1].response
        assert events[-1].type == "response.completed"
    else:
        said = client.responses.create(**asked)
    passage = litellm.passed()
    if model == "tools":
        calls = [item for item in said.output if item.type == "function_call"]
        assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == CALLS
    else:
        assert said.output_text == TEXT
    usage = {"input": said.usage.input_tokens, "output": said.usage.output_tokens}
    reasoning = said.usage.output_tokens_details and said.usage.output_tokens_details.reasoning_tokens
    usage |= {} if reasoning is None else {"reasoning": reasoning}
    finish = "tool_calls" if model == "tools" else "stop"
    assert_answered(passage, wire="openai_responses", stream=streams, finish_reason=finish, usage=usage)
    # In a stream LiteLLM calls the model as its provider does.
    assert (passage.model["requested"], passage.model["returned"]) == (model, said.model)
    assert passage.inference["external_ids"].json()["id"] == said.id
    assert passage.prompts() == PROMPTS


ERRORS = {
    400: (openai.BadRequestError, "bad_request"),
    401: (openai.AuthenticationError, "unauthorized"),
    403: (openai.PermissionDeniedError, "forbidden"),
    404: (openai.NotFoundError, "not_found"),
    429: (openai.RateLimitError, "rate_limited"),
    500: (openai.InternalServerError, "upstream_error"),
    503: (openai.InternalServerError, "unavailable"),
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", ERRORS)
def test_an_error(client, litellm, status, streams):
    error, code = ERRORS[status]
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=f"status-{status}", messages=MESSAGES, stream=streams)
    passage = litellm.passed()
    assert raised.value.status_code == passage.inference.body["status"] == status
    assert_failed(passage, code, f"canned {status}")
    # No success confirmed the name: it is the caller's text.
    assert passage.model["requested"] == "unlisted"
    assert passage.inference["unlisted"].json()["model.requested"] == f"status-{status}"
    assert raised.value.body["message"] == passage.inference["error"].json()["message"]


def test_an_error_in_the_middle_of_a_stream(client, litellm):
    with pytest.raises(openai.APIError, match="overloaded in the middle"):
        list(client.chat.completions.create(model="breaks", messages=MESSAGES, stream=True))
    # The client leaves as soon as it is told.
    passage = litellm.broken()
    assert b"[DONE]" not in passage.front.answered.body
    assert passage.inference.body["status"] == 200
    assert_failed(passage, passage.inference.body["error"], "overloaded in the middle of the answer")
    assert passage.inference.body["error"] in ("upstream_error", "unavailable")


def test_a_response_that_fails_in_the_middle_of_its_stream(client, litellm):
    events = list(client.responses.create(model="breaks", input="May 4711?", stream=True))
    passage = litellm.passed()
    assert events[-1].type == "response.failed"
    assert_failed(passage, "upstream_error", "overloaded in the middle of the answer")
    assert passage.inference.body["finish_reason"] == "error"


def test_credentials_that_are_wrong(litellm):
    """LiteLLM would look the key up in a database, and has none."""
    with openai.OpenAI(base_url=litellm.url + "/v1", api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="No connected db"):
            client.chat.completions.create(model=PINNED, messages=MESSAGES)
    passage = litellm.passed()
    assert passage.back.asked.headers["authorization"] == "Bearer sk-wrong"
    assert_failed(passage, "bad_request", "No connected db.")
    assert "sk-wrong" not in json.dumps(passage.story.told)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_azures_paths(litellm, streams):
    azure = openai.AzureOpenAI(
        azure_endpoint=litellm.url, api_key=LITELLM_KEY, api_version="2024-10-21", max_retries=0
    )
    with azure as client:
        said = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=streams)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in said) if streams else None
    text = text or said.choices[0].message.content
    passage = litellm.passed()
    assert text == TEXT
    assert passage.back.asked.target == "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21"
    assert_answered(passage, wire="openai_chat", stream=streams, finish_reason="stop")
    model = passage.model
    assert (model["requested"], model["returned"], model["deployment"]) == ("gpt-4o-mini",) * 3
    assert passage.story["decision.opened"]["headers"].json()[":path"].endswith("?api-version=2024-10-21")


def test_azures_embeddings(litellm):
    azure = openai.AzureOpenAI(
        azure_endpoint=litellm.url, api_key=LITELLM_KEY, api_version="2024-10-21", max_retries=0
    )
    with azure as client:
        client.embeddings.create(model="text-embedding-3-small", input="house")
    passage = litellm.passed()
    assert_answered(passage, wire="openai_embeddings", stream=False)
    assert passage.model["deployment"] == "text-embedding-3-small"


def test_the_list_of_models_passes_unrecorded(client, litellm):
    before = litellm.log.find()
    names = {model.id for model in client.models.list()}
    assert PINNED in names
    assert litellm.log.find() == before


def test_a_request_that_no_wire_knows_is_refused(client, litellm):
    with pytest.raises(openai.NotFoundError) as raised:
        client.images.generate(model="gpt-image-1", prompt="a house")
    assert raised.value.response.json()["code"] == "no_route"
