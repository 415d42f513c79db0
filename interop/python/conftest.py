"""A small credit model, served by MLServer, and the gateway in front of it, for the whole session."""

import joblib
import numpy
import pytest
from sklearn.linear_model import LogisticRegression

import servers
from recompress import recompressing

ROUTES = """
[[route]]
name = "compressed"
path = "/compressed/*"
upstream = "{compressed}"
system = "credit-scoring"

[[route]]
name = "impatient"
path = "/impatient/*"
upstream = "{mlserver}"
system = "credit-scoring"
models = ["sleeper"]
answer_ms_max = 1000

[[route]]
name = "credit"
upstream = "{mlserver}"
system = "credit-scoring"
subject = {{ header = "x-applicant-id" }}
context = {{ environment = "test", build = "2026.7", variant = {{ header = "x-variant", values = ["a", "b"] }} }}

[[route]]
name = "credit-v1"
wire = "kserve-v1"
upstream = "{mlserver}"
system = "credit-scoring"
"""


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """Four features to a decision and its probability; made from a fixed seed."""
    random = numpy.random.default_rng(1)
    features = random.normal(size=(400, 4))
    granted = (features @ [1.0, 0.5, -0.7, 0.2] > 0).astype(int)
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(LogisticRegression().fit(features, granted), path)
    return path


@pytest.fixture(scope="session")
def mlserver_url(tmp_path_factory, model_file):
    with servers.mlserver(tmp_path_factory.mktemp("mlserver"), model_file) as server:
        yield server.url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, mlserver_url):
    """The gateway with `ROUTES`; its log is the one that every test but `test_proof.py` adds to."""
    folder = tmp_path_factory.mktemp("gateway")
    with recompressing(mlserver_url) as compressed:
        (folder / "routes.toml").write_text(ROUTES.format(mlserver=mlserver_url, compressed=compressed))
        with servers.gateway(folder, "--config", folder / "routes.toml") as gateway:
            yield gateway
