"""The queries of the practical-ai-act showcase on our PostgreSQL, word for word, and its decoding of what they give.

The SQL is that of https://github.com/aai-institute/practical-ai-act at commit 10a062a3c1c2065053640e5630fd7149c16a1081:
`deploy/nannyml/main.py` joins requests to responses to watch a model's performance; `src/hr_assistant/dependencies/logging.py`
looks decisions up by their id. Both read the tables of that guide, which are views here, with content in clear
(`clear_content` of the policy), through the same driver (psycopg2) and the same types (MLServer's).
"""

import time
from datetime import datetime, timedelta, timezone

import httpx
import numpy
import pandas
import psycopg2
import psycopg2.extras
import pytest
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, RequestOutput

import servers
from postgres import postgres

ROUTES = """
[index]
sqlite = false
postgres = "{index}"

[policies]
hr-assistant = "policy.toml"

[[route]]
name = "hr"
upstream = "{mlserver}"
system = "hr-assistant"
subject = {{ header = "x-applicant-id" }}
"""

POLICY = """
system = "hr-assistant"
version = "1"
clear_content = ["input.raw", "input.assembled", "params.requested", "output.raw", "error"]

[[class]]
name = "default"
floor = "184 days"
target = "7 months"
legal_basis = "Article 26(6) of Regulation (EU) 2024/1689"
"""

# deploy/nannyml/main.py, build_query
JOIN = """
        SELECT
            req.raw_request as request,
            resp.raw_response as response
        FROM inference_requests req INNER JOIN inference_responses resp
        ON (req.id = resp.id)
    """
SINCE = "WHERE req.timestamp > '{}'"
# src/hr_assistant/dependencies/logging.py, fetch
REQUEST = "SELECT raw_request FROM inference_requests WHERE id = %s"
RESPONSE = "SELECT raw_response FROM inference_responses WHERE id = %s"
ERROR = "SELECT id, error FROM inference_errors WHERE id = %s"
METADATA = "SELECT * FROM inference_metadata WHERE id = %s"
# The same, __init__: every start of the application runs it.
CREATE = "CREATE TABLE IF NOT EXISTS inference_metadata (id TEXT PRIMARY KEY NOT NULL, metadata JSONB)"

INDEXED_SECONDS_MAX = 20
ROWS = [numpy.random.default_rng(7).normal(size=(rows, 4)).round(6) for rows in (1, 3, 2)]


@pytest.fixture(scope="module")
def index(tmp_path_factory, mlserver_url):
    """Inferences and one failure went through the gateway, and stand in the index. The failure's decision, and the index."""
    folder = tmp_path_factory.mktemp("showcase")
    with postgres() as server:
        (folder / "policy.toml").write_text(POLICY)
        (folder / "routes.toml").write_text(ROUTES.format(index=server.url, mlserver=mlserver_url))
        with servers.gateway(folder, "--config", folder / "routes.toml") as gateway:
            for rows in ROWS:
                answer = infer(gateway, "credit", rows)
                assert answer.status_code == 200, answer.text
            failed = infer(gateway, "nobody", ROWS[0])
            assert failed.status_code == 404
            wait_until_indexed(server, len(ROWS) + 1)
            yield server


def infer(gateway, model, rows):
    """As `src/hr_assistant/dependencies/models.py` asks: a data frame, and two outputs."""
    request = PandasCodec.encode_request(frame(rows), use_bytes=False)
    request.outputs = [RequestOutput(name="predict"), RequestOutput(name="predict_proba")]
    url = f"{gateway.url}/v2/models/{model}/infer"
    return httpx.post(url, json=request.model_dump(exclude_none=True), headers={"x-applicant-id": "applicant-1"})


def frame(rows):
    return pandas.DataFrame(rows, columns=["age", "income", "debt", "years"])


def wait_until_indexed(server, calls):
    give_up = time.monotonic() + INDEXED_SECONDS_MAX
    asked = "SELECT count(*), count(raw_request -> 'inputs') FROM inference_requests"
    while True:
        try:
            if query(server, asked) == [(calls, calls)]:
                return
        except psycopg2.errors.UndefinedTable:
            pass
        assert time.monotonic() < give_up, query(server, "SELECT * FROM logs")
        time.sleep(0.1)


def query(server, sql, parameters=None, **cursor):
    connection = psycopg2.connect(**server.config)
    try:
        with connection.cursor(**cursor) as cur:
            cur.execute(sql, parameters)
            return cur.fetchall()
    finally:
        connection.close()


def joined(server, sql):
    return query(server, sql, cursor_factory=psycopg2.extras.RealDictCursor)


def test_requests_are_joined_to_responses_and_decode_to_what_was_asked_and_answered(index, model_file):
    import joblib

    model = joblib.load(model_file)
    rows = joined(index, JOIN)
    assert len(rows) == len(ROWS)
    asked = {}
    for row in rows:
        # As process_prediction_row does.
        request = InferenceRequest.model_validate(row["request"])
        response = InferenceResponse.model_validate(row["response"])
        outputs = {output.name: NumpyCodec.decode_output(output) for output in response.outputs}
        inputs = PandasCodec.decode_request(request)
        assert response.model_name == "credit"
        assert (outputs["predict"].ravel() == model.predict(inputs.to_numpy())).all()
        assert numpy.allclose(outputs["predict_proba"], model.predict_proba(inputs.to_numpy()))
        asked[len(inputs)] = inputs
    for rows in ROWS:
        pandas.testing.assert_frame_equal(asked[len(rows)], frame(rows))


def test_the_time_of_the_last_look_is_a_condition(index):
    now = datetime.now(timezone.utc)
    assert joined(index, JOIN + SINCE.format((now + timedelta(hours=1)).isoformat())) == []
    assert len(joined(index, JOIN + SINCE.format((now - timedelta(hours=1)).isoformat()))) == len(ROWS)


def test_one_is_found_by_its_id_in_all_four_tables(index):
    for (id, model, version, timestamp) in query(
        index, "SELECT id, model_name, model_version, timestamp FROM inference_responses"
    ):
        ((request,),) = query(index, REQUEST, (id,))
        ((response,),) = query(index, RESPONSE, (id,))
        ((same, metadata),) = query(index, METADATA, (id,))
        assert InferenceRequest.model_validate(request).inputs[0].name == "age"
        assert InferenceResponse.model_validate(response).model_name == model == "credit"
        assert (version, timestamp.utcoffset()) == ("v0.1.0", timedelta(0))
        assert (same, metadata["system"]) == (id, "hr-assistant")
        assert query(index, ERROR, (id,)) == []


def test_a_failure_is_an_error_and_no_response(index):
    ((id, error),) = query(index, "SELECT id, error FROM inference_errors")
    assert error
    assert query(index, ERROR, (id,)) == [(id, error)]
    assert query(index, RESPONSE, (id,)) == []
    ((request,),) = query(index, REQUEST, (id,))
    assert InferenceRequest.model_validate(request).outputs[0].name == "predict"


def test_the_applications_own_start_changes_nothing(index):
    before = query(index, METADATA.replace(" WHERE id = %s", ""))
    connection = psycopg2.connect(**index.config)
    with connection, connection.cursor() as cur:
        cur.execute(CREATE)
    connection.close()
    assert query(index, METADATA.replace(" WHERE id = %s", "")) == before != []
