"""Clients that leave, and a model server that is slow, stops, or is gone: the record says which."""

import contextlib
import json
import signal
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

import servers
from cases import INFER, body

RECORDED_SECONDS_MAX = 10
JSON = {"content-type": "application/json"}
SLEEP = "/v2/models/sleeper/infer"


def sleep(seconds):
    return body([seconds], (1, 1), id="nap")


def ends(gateway, before):
    """Waits until the one decision that came since has ended; its record."""
    give_up = time.monotonic() + RECORDED_SECONDS_MAX
    while time.monotonic() < give_up:
        new = gateway.log.find().keys() - before.keys()
        if new:
            (decision,) = new
            story = gateway.log.show(decision)
            if "outcome" in story.told:
                return story
        time.sleep(0.05)
    raise AssertionError("no decision came and ended")


@contextlib.contextmanager
def connected(url):
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        yield connection


def head(path, length):
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n".encode()


def assert_ended(story, outcome, exchange, error=None):
    assert story.told["outcome"] == outcome
    closed = {"outcome": outcome, "exchange": exchange} | ({"error": error} if error else {})
    assert story["decision.closed"].body == closed
    assert story.is_proved()


def assert_unanswered(story, why, error=None):
    """No answer is in the record, and it says why."""
    inference = story["inference"]
    assert (inference["output.raw"].state, inference["output.raw"].reason) == ("not_captured", why)
    assert story.missing()["inference.payloads[output.raw]"] == why
    assert inference.body.get("error") == error
    assert "status" not in inference.body and "time_to_first_byte_ns" not in inference.body
    assert inference.body["model"]["absent"]["returned"] == "no_answer"
    assert inference.body["model"]["absent"]["version"] == "no_answer"
    assert "output" not in story.kinds()


def test_a_client_that_leaves_before_the_answer(gateway):
    before, sent = gateway.log.find(), sleep(6)
    with connected(gateway.url) as connection:
        connection.sendall(head(SLEEP, len(sent)) + sent)
        time.sleep(0.3)
    left = time.monotonic()
    story = ends(gateway, before)
    assert time.monotonic() - left < 4, "the call of the model was not broken off"
    assert_ended(story, "aborted", "client_abort")
    assert_unanswered(story, "client_aborted")
    assert story["inference"].body["outcome"] == "aborted"
    assert story["decision.opened"]["input.raw"].content == sent


def test_a_client_that_leaves_in_the_middle_of_its_request(gateway):
    before, sent = gateway.log.find(), sleep(0)
    with connected(gateway.url) as connection:
        connection.sendall(head(SLEEP, len(sent)) + sent[:40])
        time.sleep(0.1)
    story = ends(gateway, before)
    assert_ended(story, "aborted", "client_abort")
    assert story.kinds() == ["decision.opened", "decision.closed"], "the model was not called"
    opened = story["decision.opened"]
    assert opened["input.raw"].content == sent[:40]
    assert opened.capture["completeness"] == "partial"


def test_a_model_that_takes_longer_than_the_route_allows(gateway):
    sent = sleep(3)
    answer = httpx.post(gateway.url + "/impatient" + SLEEP, content=sent, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    assert_ended(story, "failed", "timeout", "timeout")
    assert_unanswered(story, "timed_out", "timeout")
    assert story["inference"]["error"].json() == {"code": "timeout", "message": answer.json()["error"]}
    # The route lists this name: it stands in clear though no answer confirmed it.
    assert story["inference"].body["model"]["requested"] == "sleeper"
    assert story["decision.opened"]["input.raw"].content == sent


def test_a_model_that_is_in_time(gateway):
    answer = httpx.post(gateway.url + "/impatient" + SLEEP, content=sleep(0), headers=JSON)
    assert answer.status_code == 200
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    model = story["inference"].body["model"]
    assert (model["returned"], model["absent"]["version"], model["identity"]) == ("sleeper", "not_answered", "alias")


@pytest.fixture(scope="module")
def mortal(tmp_path_factory, model_file):
    """An MLServer of its own behind a gateway of its own, set up by flags alone."""
    with servers.mlserver(tmp_path_factory.mktemp("mortal"), model_file) as server:
        flags = ["--system", "credit-scoring", "--upstream", server.url]
        with servers.gateway(tmp_path_factory.mktemp("gateway"), *flags) as gateway:
            yield server, gateway


def test_a_model_server_that_dies(mortal):
    server, gateway = mortal
    answer = httpx.post(gateway.url + INFER, content=body(), headers=JSON)
    assert answer.status_code == 200
    sent = sleep(20)
    with connected(gateway.url) as connection:
        connection.sendall(head(SLEEP, len(sent)) + sent)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGKILL)
        lost = read_answer(connection)
    assert (lost.status_code, lost.json()["code"]) == (502, "connection_lost")
    story = gateway.log.show(lost.headers["inferlog-decision-id"])
    assert_ended(story, "failed", "upstream_abort", "connection_lost")
    assert_unanswered(story, "upstream_aborted", "connection_lost")

    gone = httpx.post(gateway.url + INFER, content=body(id="gone"), headers=JSON)
    assert (gone.status_code, gone.json()["code"]) == (502, "connect_failed")
    story = gateway.log.show(gone.headers["inferlog-decision-id"])
    assert_ended(story, "failed", "upstream_abort", "connect_failed")
    assert_unanswered(story, "upstream_aborted", "connect_failed")
    assert story["inference"]["error"].json() == {"code": "connect_failed", "message": gone.json()["error"]}
    assert story["decision.opened"]["input.raw"].content == body(id="gone")
    assert story["decision.opened"]["external_ids"].json() == {"id": "gone"}

    metadata = httpx.get(gateway.url + "/v2/models/credit")
    assert metadata.status_code == 502
    outcomes = [found["outcome"] for found in gateway.log.find().values()]
    assert outcomes == ["answered", "failed", "failed"]
    assert gateway.log.verify("--key", gateway.log.vkey())["ok"]


def read_answer(connection):
    """Reads one answer with a length from a connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    heading, rest = received.split(b"\r\n\r\n", 1)
    status, *lines = heading.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(rest) < int(headers["content-length"]):
        rest += connection.recv(65536)
    return httpx.Response(int(status.split()[1]), headers=headers, content=rest)
