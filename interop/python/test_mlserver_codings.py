"""Bodies that are not plain JSON: compressed ones and binary tensors."""

import gzip
import json

import httpx

from cases import CASES, INFER, body

LONG = body([0.5] * 800, (200, 4), id="long")
JSON = {"content-type": "application/json"}


def test_a_compressed_answer_is_passed_on_as_it_is_and_recorded_decoded(gateway, mlserver_url):
    plain = httpx.post(mlserver_url + INFER, content=LONG, headers={**JSON, "accept-encoding": "identity"})
    with httpx.stream("POST", gateway.url + "/compressed" + INFER, content=LONG, headers=JSON) as answer:
        received = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(received) < len(plain.content)
    assert gzip.decompress(received) == plain.content
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    inference = story["inference"]
    assert inference["output.raw"].content == plain.content
    assert inference["output.raw"].media_type == "application/json"
    assert inference["headers"].json()["content-encoding"] == "gzip"
    assert inference["headers"].json()["content-length"] == str(len(received))
    assert inference.capture["completeness"] == "complete"
    assert inference.body["model"]["returned"] == "credit"


def test_the_model_is_asked_not_to_compress(gateway):
    answer = httpx.post(gateway.url + INFER, content=LONG, headers={**JSON, "accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.num_bytes_downloaded == len(answer.content) > 500


def test_a_compressed_request_is_passed_on_as_it_is_and_recorded_decoded(gateway, mlserver_url):
    sent, headers = gzip.compress(LONG), {**JSON, "content-encoding": "gzip"}
    direct = httpx.post(mlserver_url + INFER, content=sent, headers=headers)
    answer = httpx.post(gateway.url + INFER, content=sent, headers=headers)
    assert (answer.status_code, answer.content) == (direct.status_code, direct.content)
    assert answer.status_code == 200
    opened = gateway.log.show(answer.headers["inferlog-decision-id"])["decision.opened"]
    assert opened["input.raw"].content == LONG
    assert opened["headers"].json()["content-encoding"] == "gzip"
    assert opened["headers"].json()["content-length"] == str(len(sent))
    assert opened["external_ids"].json() == {"id": "long"}


def test_what_is_announced_as_binary_tensors_is_kept_as_bytes(gateway):
    """MLServer ignores the announcement and answers; what the gateway cannot read it does not guess."""
    case = CASES[0]
    headers = {**case.headers(), "inference-header-content-length": "50"}
    answer = httpx.post(gateway.url + case.path, content=case.body, headers=headers)
    assert answer.status_code == 200
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    opened = story["decision.opened"]
    assert opened.capture["completeness"] == "partial"
    assert opened["input.raw"].media_type == "application/octet-stream"
    assert opened["input.raw"].content == case.body
    assert opened["headers"].json()["inference-header-content-length"] == "50"
    assert story["inference"].capture["completeness"] == "complete"
    assert story["inference"]["output.raw"].content == answer.content


def test_numbers_and_names_that_a_parser_would_change_are_kept(gateway):
    sent = (
        b'{"id":"x","inputs":[{"name":"\\u00e4\xc3\xa4","shape":[1,4],"datatype":"FP64",'
        b'"data":[1E0,0.10,123456789012345678901,-0.0]}],"parameters":{"big":12345678901234567890,"same":1}}'
    )
    answer = httpx.post(gateway.url + INFER, content=sent, headers=JSON)
    assert answer.status_code == 200, answer.text
    story = gateway.log.show(answer.headers["inferlog-decision-id"])
    assert story["decision.opened"]["input.raw"].content == sent
    assert story["inference"]["params.requested"].content == b'{"big":12345678901234567890,"same":1}'
    assert story["inference"]["output.raw"].content == answer.content
    assert json.loads(answer.content)["id"] == "x"
