"""One exchange through the gateway, with a tap on either side of it: the bytes that passed, and the record of them."""

import gzip
import json
import zlib
from dataclasses import dataclass

import brotli

from reader import Event, Inferlog, Story
from servers import LITELLM_KEY
from tap import Exchange, Tap

DECISION = "inferlog-decision-id"
# What each hop says for itself.
HOP = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding", "keep-alive", "te"}
DECODE = {
    "gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress, "identity": bytes,
}
STREAMS = {"text/event-stream", "application/x-ndjson"}


@dataclass
class Passage:
    """What the client sent and got (`front`), what the upstream got and sent (`back`), and what was recorded."""

    front: Exchange
    back: Exchange
    story: Story

    @property
    def inference(self) -> Event:
        return self.story["inference"]

    @property
    def asked(self):
        """The request's JSON."""
        return json.loads(self.front.asked.body)

    @property
    def answer(self):
        """The answer's JSON."""
        return json.loads(plain(self.front.answered))

    @property
    def usage(self):
        return self.inference.body.get("usage")

    @property
    def model(self):
        return self.inference.body["model"]

    def prompts(self):
        """Whose words the model was given; they stand in the request."""
        request = self.story["decision.opened"]["input.raw"].payload
        prompts = self.inference.body.get("prompts", [])
        assert all(prompt == {"role": prompt["role"], "payload": request} for prompt in prompts)
        return [prompt["role"] for prompt in prompts]

    def reasoning(self):
        events = [event for event in self.story.events if event.kind == "reasoning"]
        return [(event.body["form"], event["reasoning"].content.decode()) for event in events]


@dataclass
class Path:
    """From the client to one upstream."""

    # Where the client finds the upstream: the gateway's front tap and the path of the route.
    url: str
    prefix: str
    front: Tap
    back: Tap
    log: Inferlog

    def skip(self):
        for tap in (self.front, self.back):
            tap.skip()

    def passed(self) -> Passage:
        """The one exchange that was just had: passed on as it was, and recorded as it was."""
        passage = self.broken()
        front, back, story = passage.front, passage.back, passage.story
        assert front.answered.is_whole and back.answered.is_whole
        assert front.answered.body == back.answered.body
        assert_recorded(passage)
        assert story.is_proved(), story.told["problems"]
        return passage

    def broken(self) -> Passage:
        """The one exchange that was just had, however it ended."""
        front, back = self.front.exchange(), self.back.exchange()
        assert_passed_on(front, back, self.prefix)
        return Passage(front, back, self.log.ended(front.answered.headers[DECISION]))


def assert_passed_on(front, back, prefix):
    """Request and head of the answer are what they were."""
    asked, reached = front.asked, back.asked
    assert reached.is_whole and reached.body == asked.body
    method, target, _ = asked.start.split()
    assert reached.start.split()[:2] == [method, target.removeprefix(prefix)]
    whence = {"for": "127.0.0.1", "host": asked.headers["host"], "proto": "http"}
    assert end_to_end(reached) == end_to_end(asked) | {f"x-forwarded-{name}": told for name, told in whence.items()}
    assert reached.headers.get("accept-encoding") == "identity"
    assert front.answered.status == back.answered.status
    said = end_to_end(front.answered)
    assert said.pop(DECISION)
    assert said == end_to_end(back.answered)


def end_to_end(message):
    return {name: value for name, value in message.headers.items() if name not in HOP}


def assert_recorded(passage):
    """What holds of every exchange whose answer is whole."""
    front, story, inference = passage.front, passage.story, passage.inference
    opened, closed = story["decision.opened"], story["decision.closed"]
    assert story.kinds()[0] == "decision.opened" and story.kinds()[-1] == "decision.closed"
    assert opened.body["method"] == "post"
    assert opened.body["wire"] == inference.body["wire"]
    assert opened["input.raw"].content == plain(front.asked)
    assert opened["input.raw"].media_type == media_type(front.asked)
    assert inference["input.assembled"].content == plain(front.asked)
    answered = inference["output.raw"]
    assert answered.content == plain(front.answered)
    assert answered.media_type == media_type(front.answered)
    assert inference["headers"].json()[":status"] == str(front.answered.status)
    assert inference.body["status"] == closed.body["status"] == front.answered.status
    # An error is whole, whatever type it bears.
    is_stream = media_type(front.answered) in STREAMS and front.answered.status < 300
    assert inference.body.get("stream", False) == is_stream
    # Some servers end a body and leave the answer in it without its end.
    ends = {"connection_lost": "upstream_abort"}
    assert closed.body["exchange"] == ends.get(inference.body.get("error"), "complete")
    assert 0 < inference.body["time_to_first_byte_ns"]
    assert LITELLM_KEY not in json.dumps(story.told)


def media_type(message):
    """KServe does not declare an answer with binary tensors, but by the header that tells where they begin."""
    declared = message.headers.get("content-type", "application/octet-stream")
    assert "content-type" in message.headers or "inference-header-content-length" in message.headers
    return declared.split(";")[0]


def plain(message):
    """The body, free of its content coding."""
    return DECODE[message.headers.get("content-encoding", "identity")](message.body)


def assert_answered(passage, **fields):
    """The decision was answered; these are the clear fields of its inference, `None` for those that must be absent."""
    assert passage.story.told["outcome"] == "answered"
    assert passage.inference.body["outcome"] == "ok"
    assert "error" not in passage.inference.body and "error" not in passage.inference
    assert passage.inference.capture["completeness"] == "complete"
    assert passage.inference.capture["bytes_dropped"] == 0
    assert {name: passage.inference.body.get(name) for name in fields} == fields


def assert_failed(passage, code, message):
    """The decision failed, with this code; the record's error has these words."""
    story, inference = passage.story, passage.inference
    assert (story.told["outcome"], inference.body["outcome"]) == ("failed", "failed")
    assert (inference.body["error"], story["decision.closed"].body["error"]) == (code, code)
    told = inference["error"].json()
    assert told["code"] == code
    assert message in told["message"], told
    assert "output" not in story.kinds()
