"""A provider of LiteLLM's that answers from canned text: what the model's name asks for, whole or piece by piece."""

import asyncio
import json

from litellm import CustomLLM, ModelResponse, Usage
from litellm.llms.custom_llm import CustomLLMError

from sayings import CALLS, OBJECT, TEXT, USAGE

PIECE_LENGTH = 5
SLOW_SECONDS = 0.15


class Canned(CustomLLM):
    async def acompletion(self, model, model_response: ModelResponse, optional_params, **_):
        refuse(model)
        message = model_response.choices[0].message
        message.content = text_of(model)
        model_response.choices[0].finish_reason = "stop"
        if model == "tools":
            model_response.choices[0].finish_reason = "tool_calls"
            calls = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": spelled(arguments)}}
                for id, name, arguments in CALLS
            ]
            model_response.choices[0].message = type(message)(role="assistant", content=None, tool_calls=calls)
        model_response.usage = Usage(**USAGE)
        return model_response

    async def astreaming(self, model, **_):
        refuse(model)
        for at, piece in enumerate(pieces(text_of(model))):
            if model == "breaks" and at == 3:
                raise CustomLLMError(529, "overloaded in the middle of the answer")
            if model == "slow":
                await asyncio.sleep(SLOW_SECONDS)
            yield chunk(piece)
        if model == "tools":
            for index, (id, name, arguments) in enumerate(CALLS):
                yield chunk("", tool_use=tool_use(index, id, name, ""))
                for piece in pieces(spelled(arguments)):
                    yield chunk("", tool_use=tool_use(index, None, None, piece))
        yield chunk("", "tool_calls" if model == "tools" else "stop", usage=USAGE)


def refuse(model):
    """Models that are called by a status answer with it."""
    if model.isdigit():
        raise CustomLLMError(int(model), f"canned {model}")


def text_of(model):
    return {"tools": "", "object": spelled(OBJECT)}.get(model, TEXT)


def spelled(value):
    return json.dumps(value, ensure_ascii=False)


def pieces(text):
    return [text[at : at + PIECE_LENGTH] for at in range(0, len(text), PIECE_LENGTH)]


def tool_use(index, id, name, arguments):
    return {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chunk(text, finish_reason="", tool_use=None, usage=None):
    return {
        "text": text, "tool_use": tool_use, "is_finished": bool(finish_reason), "finish_reason": finish_reason,
        "usage": usage, "index": 0,
    }


handler = Canned()
