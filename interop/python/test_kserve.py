"""KServe's own client through the gateway to KServe's own server: tensors in JSON and in binary form."""

import asyncio
import json

import httpx
import numpy
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

import servers
from passage import Path, assert_answered, assert_failed
from tap import tapping

ROUTES = """
[[route]]
name = "credit"
upstream = "{kserve}"
system = "credit-scoring"

[[route]]
name = "credit-v1"
wire = "kserve-v1"
upstream = "{kserve}"
system = "credit-scoring"
"""
LENGTH = "inference-header-content-length"
ROWS = numpy.array([[1.0, -0.0, 1e-300, 4.0], [1.5e300, 0.1, -3.0, 8.0]])
TENSORS = {
    "FP64": ROWS,
    "FP32": ROWS[:, 1:3].astype(numpy.float32),
    "FP16": numpy.array([[0.5, -2.0]], dtype=numpy.float16),
    "INT64": numpy.array([[2**62, -1]]),
    "INT32": numpy.array([[7, -1]], dtype=numpy.int32),
    "UINT8": numpy.arange(256, dtype=numpy.uint8).reshape(2, 128),
    "BOOL": numpy.array([[True, False]]),
    "BYTES": numpy.array(["café".encode(), b"", b"\x00{}"], dtype=object),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers.kserve(tmp_path_factory.mktemp("kserve")) as server:
        yield server


@pytest.fixture(scope="module")
def taps(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("gateway")
    with tapping(server.port) as back:
        (folder / "routes.toml").write_text(ROUTES.format(kserve=back.url))
        with servers.gateway(folder, "--config", folder / "routes.toml") as gateway, tapping(gateway.port) as front:
            yield Path(front.url, "", front, back, gateway.log)
            report = gateway.log.verify("--key", gateway.log.vkey())
            assert (report["ok"], report["faults"]) == (True, [])


@pytest.fixture
def kserve(taps):
    taps.skip()
    return taps


def infer(path, request, model="credit", protocol="v2"):
    async def call():
        config = RESTConfig(protocol=protocol, retries=0)
        client = InferenceRESTClient(config)
        try:
            return await client.infer(path.url, request, model_name=model)
        finally:
            await client.close()

    return asyncio.run(call())


def tensor(name, values, is_binary):
    datatype = next(each for each, like in TENSORS.items() if like.dtype == values.dtype)
    made = InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=is_binary)
    return made


def values_of(tensors, name):
    (found,) = (each for each in tensors if each.name == name)
    values = found.as_numpy()
    return [each.encode() for each in values.ravel()] if found.datatype == "BYTES" else values


def assert_same(found, values):
    if values.dtype == object:
        assert found == list(values)
    else:
        assert (found.shape, found.tobytes()) == (values.shape, values.tobytes())


def assert_told(passage, **model):
    absent = {"deployment": "not_configured", "digest": "not_configured", "fingerprint": "not_on_wire"}
    names = {"requested": "credit", "returned": "credit", "identity": "alias"} | model
    assert passage.model == {**names, "absent": absent | {"version": "not_answered"}}


@pytest.mark.parametrize("datatype", TENSORS)
def test_binary_tensors_both_ways(kserve, datatype):
    values = TENSORS[datatype]
    request = InferRequest(
        "credit", [tensor("features", values, True)], request_id="binary-1", parameters={"binary_data_output": True}
    )
    answer = infer(kserve, request)
    assert_same(values_of(answer.outputs, "features"), values)
    passage = kserve.passed()
    assert passage.front.asked.headers[LENGTH] and passage.front.answered.headers[LENGTH]
    assert_answered(passage, wire="oip_rest")
    assert_told(passage)
    story, inference = passage.story, passage.inference
    assert story["decision.opened"].capture["completeness"] == "complete"
    assert story["decision.opened"]["external_ids"].json() == {"id": "binary-1"}
    assert inference["params.requested"].json() == {"binary_data_output": True}
    # What is in the record reads back as the same tensors, every bit of them.
    opened = story["decision.opened"]
    length = int(opened["headers"].json()[LENGTH])
    recorded = InferRequest.from_bytes(opened["input.raw"].content, length, "credit")
    assert_same(values_of(recorded.inputs, "features"), values)
    length = int(inference["headers"].json()[LENGTH])
    recorded = InferResponse.from_bytes(inference["output.raw"].content, length)
    assert_same(values_of(recorded.outputs, "features"), values)


def test_json_asks_and_binary_tensors_answer(kserve):
    wanted = [RequestedOutput("features.sums", {"binary_data": True})]
    request = InferRequest("credit", [tensor("features", ROWS, False)], request_id="mixed-1", request_outputs=wanted)
    answer = infer(kserve, request)
    assert_same(values_of(answer.outputs, "features.sums"), ROWS.sum(axis=1))
    passage = kserve.passed()
    assert LENGTH not in passage.front.asked.headers and LENGTH in passage.front.answered.headers
    assert_answered(passage, wire="oip_rest")
    assert_told(passage)


def test_binary_tensors_ask_and_json_answers(kserve):
    rows = ROWS[:, 1:2]
    answer = infer(kserve, InferRequest("credit", [tensor("features", rows, True)], request_id="mixed-2"))
    assert_same(values_of(answer.outputs, "features"), rows)
    passage = kserve.passed()
    assert LENGTH in passage.front.asked.headers and LENGTH not in passage.front.answered.headers
    assert_answered(passage, wire="oip_rest")
    assert_told(passage)


def test_an_unknown_model(kserve):
    with pytest.raises(httpx.HTTPStatusError, match="nobody does not exist"):
        infer(kserve, InferRequest("nobody", [tensor("features", ROWS, True)]), model="nobody")
    passage = kserve.passed()
    assert_failed(passage, "not_found", "Model with name nobody does not exist.")
    assert passage.model["requested"] == "unlisted"
    assert passage.inference["unlisted"].json() == {"model.requested": "nobody"}


def test_a_model_that_refuses_the_tensor(kserve):
    with pytest.raises(httpx.HTTPStatusError):
        infer(kserve, InferRequest("credit", [tensor("features", numpy.zeros((0, 4)), True)], request_id="empty"))
    passage = kserve.passed()
    assert_failed(passage, "bad_request" if passage.front.answered.status < 500 else "upstream_error", "")


@pytest.mark.parametrize("length", [b"13", b"9999", b"-1", b"x"])
def test_an_announcement_that_does_not_fit(kserve, length):
    """What cannot be taken apart is passed on and kept whole, and called partial."""
    body = json.dumps({"inputs": []}).encode() + b"\x00\x00\x80?"
    headers = {LENGTH: length, "content-type": "application/octet-stream"}
    httpx.post(kserve.url + "/v2/models/credit/infer", content=body, headers=headers)
    passage = kserve.passed()
    opened = passage.story["decision.opened"]
    assert opened["input.raw"].content == body
    assert opened["headers"].json()[LENGTH] == length.decode()
    assert opened.capture["completeness"] == "partial"


def test_version_one(kserve):
    answer = infer(kserve, {"instances": [[1, 2], [3, 4]]}, protocol="v1")
    assert answer == {"predictions": [3, 7]}
    passage = kserve.passed()
    assert_answered(passage, wire="kserve_v1")
    assert passage.model["requested"] == "credit"
