"""The Open Inference Protocol over gRPC: MLServer's own stubs and Triton's client, through the gateway, to MLServer."""

import json
import queue
import subprocess
import sys
import time
from pathlib import Path

import grpc
import joblib
import numpy
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import dataplane_pb2_grpc as stubs

import servers

ROUTE = """
[[route]]
name = "credit-grpc"
wire = "oip-grpc"
upstream = "http://127.0.0.1:{port}"
system = "credit-scoring"
subject = {{ header = "x-applicant-id" }}
"""
SERVICE = "/inference.GRPCInferenceService"
DECISION = "inferlog-decision-id"
METADATA = [("x-applicant-id", "applicant-4711"), ("authorization", "Bearer not-to-be-recorded")]
ROWS = [[1.0, 2.0, -3.0, 4.0], [-0.5, 0.25, 8.0, 0.0]]
CLIENT_SECONDS_MAX = 60
CALL_SECONDS_MAX = 20


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, mlserver):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "routes.toml").write_text(ROUTE.format(port=mlserver.grpc_port))
    with servers.gateway(folder, "--config", folder / "routes.toml") as gateway:
        yield gateway
        report = gateway.log.verify("--key", gateway.log.vkey())
        assert (report["ok"], report["faults"]) == (True, [])


@pytest.fixture(scope="module")
def channel(gateway):
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def direct(mlserver):
    with grpc.insecure_channel(f"127.0.0.1:{mlserver.grpc_port}") as channel:
        yield channel


def credit(id="grpc-1", model="credit", rows=ROWS, datatype="FP64", **more):
    contents = pb.InferTensorContents(fp64_contents=[value for row in rows for value in row])
    shape = [len(rows), len(rows[0])]
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=shape, contents=contents)
    return pb.ModelInferRequest(model_name=model, id=id, inputs=[tensor], **more)


def counting(to, id="grpc-count"):
    contents = pb.InferTensorContents(int64_contents=[to])
    tensor = pb.ModelInferRequest.InferInputTensor(name="to", datatype="INT64", shape=[1, 1], contents=contents)
    return pb.ModelInferRequest(model_name="counter", id=id, inputs=[tensor])


def header(call):
    return dict(call.initial_metadata())[DECISION]


def messages(payload):
    """The messages of a recorded body: one by itself, or each after whether it is compressed and its length."""
    if payload.media_type == "application/x-protobuf":
        return [payload.content]
    assert payload.media_type == "application/grpc"
    found, rest = [], payload.content
    while rest:
        assert rest[0] == 0
        end = 5 + int.from_bytes(rest[1:5], "big")
        found.append(rest[5:end])
        rest = rest[end:]
    return found


def assert_told(story, **model):
    absent = {"deployment": "not_configured", "digest": "not_configured", "fingerprint": "not_on_wire"}
    told = dict(story["inference"].body["model"])
    assert told.pop("absent").items() >= absent.items()
    assert told == model


def test_a_unary_call_byte_for_byte(gateway, channel, direct):
    sent = credit().SerializeToString()
    call = f"{SERVICE}/ModelInfer"
    wanted, direct_call = direct.unary_unary(call).with_call(sent, metadata=METADATA)
    got, gateway_call = channel.unary_unary(call).with_call(sent, metadata=METADATA)
    assert got == wanted
    assert dict(gateway_call.trailing_metadata()) == dict(direct_call.trailing_metadata())
    story = gateway.log.show(header(gateway_call))
    opened, inference, closed = story["decision.opened"], story["inference"], story["decision.closed"]
    assert story.kinds() == ["decision.opened", "inference", "output", "decision.closed"]
    assert opened.body["wire"] == inference.body["wire"] == "oip_grpc"
    assert (opened.body["route"], opened.body["method"]) == ("credit-grpc", "grpc")
    assert messages(opened["input.raw"]) == [sent]
    assert messages(inference["output.raw"]) == [got]
    assert inference.body["status"] == closed.body["status"] == 0
    assert (inference.body["outcome"], story.told["outcome"]) == ("ok", "answered")
    assert closed.body["exchange"] == "complete"
    assert_told(story, requested="credit", returned="credit", version="v0.1.0", identity="exact")
    assert opened["external_ids"].json()["id"] == "grpc-1"
    assert inference.capture["completeness"] == opened.capture["completeness"] == "complete"
    assert len(story.told["subjects"]) == 1
    assert "not-to-be-recorded" not in json.dumps(story.told) and "applicant-4711" not in json.dumps(story.told)
    assert story.is_proved()


def test_the_record_reads_back_and_asks_the_same_again(gateway, channel, direct):
    sent = credit("grpc-2", parameters={"threshold": pb.InferParameter(int64_param=7)})
    answer, call = stubs.GRPCInferenceServiceStub(channel).ModelInfer.with_call(sent)
    story = gateway.log.show(header(call))
    (recorded,) = messages(story["decision.opened"]["input.raw"])
    assert pb.ModelInferRequest.FromString(recorded) == sent
    again = direct.unary_unary(f"{SERVICE}/ModelInfer")(recorded)
    assert pb.ModelInferResponse.FromString(again) == answer
    assert [again] == messages(story["inference"]["output.raw"])
    assert story["inference"]["params.requested"].json() == {"threshold": 7}


def test_tritons_client_with_raw_contents(gateway, model_file):
    before = gateway.log.find()
    told = triton(gateway.port, "credit", "triton-1")
    model = joblib.load(model_file)
    rows = numpy.array(ROWS)
    assert numpy.array_equal(numpy.ravel(told["answer"]["predict"]), model.predict(rows))
    assert numpy.array_equal(told["answer"]["predict_proba"], model.predict_proba(rows))
    assert told["live"] and told["metadata"]["name"] == "credit"
    story = only_new(gateway, before)
    (sent,) = map(pb.ModelInferRequest.FromString, messages(story["decision.opened"]["input.raw"]))
    assert sent.raw_input_contents[0] == rows.tobytes()
    (answered,) = map(pb.ModelInferResponse.FromString, messages(story["inference"]["output.raw"]))
    assert len(answered.raw_output_contents) == 2
    assert_told(story, requested="credit", returned=told["id"] and "credit", version=told["version"], identity="exact")
    assert story["decision.opened"]["external_ids"].json()["id"] == "triton-1"
    assert story["inference"]["params.requested"].json() == {"threshold": "0.7"}


def test_tritons_client_is_told_of_an_error(gateway):
    before = gateway.log.find()
    error = triton(gateway.port, "nobody", "triton-2")["error"]
    assert error["status"] == "StatusCode.NOT_FOUND"
    assert_failed(only_new(gateway, before), 5, "not_found", error["message"])


def triton(port, model, id):
    command = [sys.executable, Path(__file__).with_name("triton_client.py"), f"127.0.0.1:{port}", model, id]
    ran = subprocess.run(
        [*command, json.dumps(ROWS)], capture_output=True, timeout=CLIENT_SECONDS_MAX, check=False, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def only_new(gateway, before):
    (decision,) = gateway.log.find().keys() - before.keys()
    return gateway.log.ended(decision)


def assert_failed(story, status, code, message):
    inference, closed = story["inference"], story["decision.closed"]
    assert (story.told["outcome"], inference.body["outcome"]) == ("failed", "failed")
    assert inference.body["error"] == closed.body["error"] == code
    assert inference.body["status"] == closed.body["status"] == status
    assert inference["error"].json() == {"code": code, "message": message}
    assert closed.body["exchange"] == "complete"
    assert "output" not in story.kinds()
    assert story.is_proved()


FAULTS = {
    "an unknown model": (credit(model="nobody").SerializeToString(), "NOT_FOUND", "not_found"),
    "a datatype that is none": (credit(datatype="FLOAT").SerializeToString(), "INTERNAL", "upstream_error"),
    "three features for four": (credit(rows=[[1.0, 2.0, 3.0]]).SerializeToString(), "INTERNAL", "upstream_error"),
    "no protobuf": (b"\xff\xff\xff", "UNKNOWN", "upstream_error"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error(gateway, channel, direct, fault):
    sent, status, code = FAULTS[fault]
    errors = []
    for each in (direct, channel):
        with pytest.raises(grpc.RpcError) as raised:
            each.unary_unary(f"{SERVICE}/ModelInfer")(sent)
        errors.append(raised.value)
    wanted, got = errors
    assert (got.code(), got.details()) == (wanted.code(), wanted.details())
    assert got.code().name == status
    decision = (dict(got.initial_metadata()) | dict(got.trailing_metadata()))[DECISION]
    story = gateway.log.show(decision)
    assert_failed(story, got.code().value[0], code, got.details())
    assert messages(story["decision.opened"]["input.raw"]) == [sent]
    is_partial = story["decision.opened"].capture["completeness"] == "partial"
    assert is_partial == (fault == "no protobuf")


def test_a_stream(gateway, channel, direct):
    """One decision: each request in it, and each answer as the inference of the request whose id it bears. MLServer gives
    all answers of a stream the id of its first request, so the second one has none by its own word."""
    sent = [counting(3, "first"), counting(2, "second")]
    wanted = list(stubs.GRPCInferenceServiceStub(direct).ModelStreamInfer(iter(sent)))
    call = stubs.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(sent))
    got = list(call)
    assert got == wanted
    assert counted(got) == [1, 2, 3, 1, 2]
    story = gateway.log.ended(header(call))
    requests = [event for event in story.events if event.kind in ("decision.opened", "decision.joined")]
    assert [event.kind for event in requests] == ["decision.opened", "decision.joined"]
    assert [messages(event["input.raw"]) for event in requests] == [[each.SerializeToString()] for each in sent]
    assert [event["external_ids"].json()["id"] for event in requests] == ["first", "second"]
    assert [event.body["method"] for event in requests] == ["grpc_stream"] * 2
    assert {each.id for each in got} == {"first"}
    *answers, unanswered = [event for event in story.events if event.kind == "inference"]
    assert [messages(event["output.raw"]) for event in answers] == [[each.SerializeToString()] for each in got]
    assert all(event["input.assembled"].content == sent[0].SerializeToString() for event in answers)
    assert unanswered["input.assembled"].content == sent[1].SerializeToString()
    assert not unanswered["output.raw"].content
    for event in answers:
        assert (event.body["wire"], event.body["stream"], event.body["outcome"]) == ("oip_grpc", True, "ok")
        assert event.body["model"]["requested"] == event.body["model"]["returned"] == "counter"
    assert (story.told["outcome"], story["decision.closed"].body["status"]) == ("answered", 0)
    assert story.is_proved()


def counted(answers):
    return [answer.outputs[0].contents.int64_contents[0] for answer in answers]


def test_a_stream_whose_client_waits_for_each_answer(gateway, channel):
    asks = queue.Queue()
    call = stubs.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(asks.get, None), timeout=CALL_SECONDS_MAX)
    for _ in range(2):
        asks.put(counting(1))
        assert counted([next(call)]) == [1]
    asks.put(None)
    assert list(call) == []
    story = gateway.log.ended(header(call))
    kinds = ["decision.opened", "inference", "decision.joined", "inference", "output", "decision.closed"]
    assert story.kinds() == kinds


def test_a_stream_that_fails_in_the_middle(gateway, channel):
    call = stubs.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter([counting(14)]))
    got = []
    with pytest.raises(grpc.RpcError, match="13 is not counted"):
        for each in call:
            got.append(each)
    assert counted(got) == list(range(1, 13))
    story = gateway.log.ended(header(call))
    answers = [event for event in story.events if event.kind == "inference"]
    assert [messages(event["output.raw"]) for event in answers] == [[each.SerializeToString()] for each in got]
    closed = story["decision.closed"]
    assert (story.told["outcome"], closed.body["status"], closed.body["error"]) == ("failed", 3, "bad_request")
    assert closed["error"].json() == {"code": "bad_request", "message": "13 is not counted"}
    assert story.is_proved()


def test_a_call_that_its_client_cancels(gateway, channel):
    before = gateway.log.find()
    contents = pb.InferTensorContents(fp64_contents=[6.0])
    tensor = pb.ModelInferRequest.InferInputTensor(name="s", datatype="FP64", shape=[1, 1], contents=contents)
    sent = pb.ModelInferRequest(model_name="sleeper", id="cancelled", inputs=[tensor])
    call = stubs.GRPCInferenceServiceStub(channel).ModelInfer.future(sent)
    time.sleep(0.4)
    call.cancel()
    story = only_new_after(gateway, before)
    assert (story.told["outcome"], story["decision.closed"].body["exchange"]) == ("aborted", "client_abort")
    assert messages(story["decision.opened"]["input.raw"]) == [sent.SerializeToString()]


def only_new_after(gateway, before):
    give_up = time.monotonic() + 5
    while not gateway.log.find().keys() - before.keys():
        assert time.monotonic() < give_up, "no decision came"
        time.sleep(0.05)
    return only_new(gateway, before)


def test_health_and_metadata_pass_unrecorded(gateway, channel, direct):
    before = gateway.log.find()
    asked = pb.ModelMetadataRequest(name="credit")
    through, at_once = (stubs.GRPCInferenceServiceStub(each) for each in (channel, direct))
    assert through.ModelMetadata(asked) == at_once.ModelMetadata(asked)
    assert through.ServerLive(pb.ServerLiveRequest()).live
    assert through.ModelReady(pb.ModelReadyRequest(name="credit")).ready
    assert gateway.log.find() == before


@pytest.mark.parametrize("method", ["/foo.Bar/Baz", f"{SERVICE}/ModelExplain"])
def test_a_method_that_the_wire_does_not_know_is_refused(gateway, channel, method):
    before = gateway.log.find()
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(method)(credit().SerializeToString())
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert gateway.log.find() == before
