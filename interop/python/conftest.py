"""A small credit model, served by MLServer for the whole session."""

import joblib
import numpy
import pytest
from sklearn.linear_model import LogisticRegression

import servers


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
    with servers.mlserver(tmp_path_factory.mktemp("mlserver"), model_file) as url:
        yield url
