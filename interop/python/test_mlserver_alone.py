"""MLServer by itself. If one of these fails MLServer has changed, and what the gateway expects of it is to be looked at."""

import httpx
import pytest

import servers
from cases import CASES, REFUSED, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers_as_observed(mlserver_url, case: Case):
    answer = httpx.request(case.method, mlserver_url + case.path, content=case.body, headers=case.headers())
    assert answer.status_code == case.status
    assert answer.headers.get("content-type") == case.answer_type
    if case.members is None:
        assert answer.text in ("Internal Server Error", "")
    else:
        assert answer.json().keys() == case.members
    if case.id is not None:
        assert answer.json()["id"] == case.id
        assert answer.headers["ce-id"] == case.id


def test_compresses_long_answers_for_clients_that_take_it(mlserver_url):
    long = next(case for case in CASES if "compresses" in case.name)
    sizes = {}
    for encoding in ("gzip", "identity"):
        headers = {**long.headers(), "accept-encoding": encoding}
        answer = httpx.post(mlserver_url + long.path, content=long.body, headers=headers)
        assert answer.headers.get("content-encoding", "identity") == encoding
        sizes[encoding] = answer.num_bytes_downloaded
    assert sizes["gzip"] < sizes["identity"]


def test_ignores_the_header_of_binary_tensors(mlserver_url):
    case = CASES[0]
    headers = {**case.headers(), "inference-header-content-length": "50"}
    answer = httpx.post(mlserver_url + case.path, content=case.body, headers=headers)
    assert answer.status_code == 200


def test_metadata_names_the_model_but_not_its_version(mlserver_url):
    assert httpx.get(mlserver_url + "/v2").json()["version"] == "1.7.1"
    metadata = httpx.get(mlserver_url + "/v2/models/credit").json()
    assert metadata["name"] == "credit"
    assert metadata["versions"] == []


def test_by_default_a_failure_answers_with_a_traceback(tmp_path, model_file):
    case = next(case for case in REFUSED if case.status == 500)
    with servers.mlserver(tmp_path, model_file, debug=True) as server:
        answer = httpx.post(server.url + case.path, content=case.body, headers=case.headers())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("Traceback (most recent call last):\n")
    assert len(answer.content) > 1000
