"""MLServer's own client types through the gateway, and out of the record again."""

import joblib
import httpx
import numpy
import pandas
import pytest
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, RequestOutput

ROWS = numpy.array([[1.0, 2.0, -3.0, 4.0], [-0.5, 0.25, 8.0, 0.0], [1e-300, -0.0, 1.5e300, 0.1]])


def numpy_request():
    request = InferenceRequest(id="numpy", inputs=[NumpyCodec.encode_input("features", ROWS)])
    request.outputs = [RequestOutput(name="predict"), RequestOutput(name="predict_proba")]
    return request


def pandas_request():
    """Columns as inputs, and parameters that say so."""
    frame = pandas.DataFrame(ROWS, columns=["income", "assets", "debts", "age"])
    request = PandasCodec.encode_request(frame)
    request.id = "pandas"
    return request


@pytest.fixture(params=[numpy_request, pandas_request], ids=["numpy", "pandas"])
def exchange(request, gateway):
    """What was asked, what was answered, and the record."""
    asked = request.param()
    answer = httpx.post(
        gateway.url + "/v2/models/credit/infer",
        content=asked.model_dump_json(), headers={"content-type": "application/json", "x-applicant-id": asked.id},
    )
    assert answer.status_code == 200, answer.text
    answered = InferenceResponse.model_validate_json(answer.content)
    return asked, answered, gateway.log.show(answer.headers["inferlog-decision-id"])


def test_the_answer_is_the_models(exchange, model_file):
    asked, answered, _ = exchange
    assert (answered.id, answered.model_name, answered.model_version) == (asked.id, "credit", "v0.1.0")
    outputs = {output.name: NumpyCodec.decode_output(output) for output in answered.outputs}
    model = joblib.load(model_file)
    assert numpy.array_equal(outputs["predict"].ravel(), model.predict(ROWS))
    if asked.outputs:
        assert numpy.array_equal(outputs["predict_proba"], model.predict_proba(ROWS))


def test_the_record_reads_back_as_the_same_types(exchange):
    asked, answered, story = exchange
    recorded = InferenceRequest.model_validate_json(story["decision.opened"]["input.raw"].content)
    assert recorded == asked
    codec = PandasCodec if asked.id == "pandas" else NumpyRequestCodec
    features = numpy.asarray(codec.decode_request(recorded))
    # Every bit, that of a negative zero too.
    assert features.tobytes() == ROWS.tobytes()
    assert InferenceResponse.model_validate_json(story["inference"]["output.raw"].content) == answered
    if asked.parameters:
        assert story["inference"]["params.requested"].json() == asked.parameters.model_dump()


def test_asked_again_from_the_record_the_model_answers_the_same(exchange, mlserver_url):
    _, answered, story = exchange
    again = httpx.post(
        mlserver_url + story["decision.opened"]["headers"].json()[":path"],
        content=story["decision.opened"]["input.raw"].content, headers={"content-type": "application/json"},
    )
    assert InferenceResponse.model_validate_json(again.content) == answered
    assert again.content == story["inference"]["output.raw"].content
