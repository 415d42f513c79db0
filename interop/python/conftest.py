"""A small credit model, served by MLServer, and language models; and the gateway in front, for the whole session."""

import contextlib
import subprocess

import pytest

pytest.register_assert_rewrite("bundles", "passage", "reader")

import casework
import servers
from passage import Path
from reader import BINARY, Inferlog
from recompress import recompressing
from replay import Answer, replaying
from tap import tapping

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

LANGUAGE_ROUTES = """
[[route]]
name = "litellm-openai"
path = "/litellm/*"
wire = "openai"
upstream = "{litellm}"
system = "credit-scoring"

[[route]]
name = "litellm-anthropic"
path = "/litellm/*"
wire = "anthropic"
upstream = "{litellm}"
system = "credit-scoring"
"""
REPLAY_ROUTE = """
[[route]]
name = "replay-{wire}"
path = "/replay-{wire}/*"
wire = "{wire}"
upstream = "{replay}"
system = "credit-scoring"
"""


DEMO_SECONDS_MAX = 300


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The log of the demo: models of two wires, tools, retrieval, a person's override, an applicant who was erased."""
    folder = tmp_path_factory.mktemp("demo")
    log = Inferlog(folder / "data", folder / "root.key")
    subprocess.run(
        [BINARY, "demo", "--once", "--data", log.data, "--root-key", f"file:{log.root_key}"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=DEMO_SECONDS_MAX, check=True,
    )
    return log


@pytest.fixture(scope="session")
def evidence(tmp_path_factory):
    """A log with decisions of every kind, and bundles of them by what they disclose."""
    with casework.recorded(tmp_path_factory.mktemp("evidence")) as evidence:
        yield evidence


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """Four features to a decision and its probability; made from a fixed seed."""
    # The environment of KServe has no scikit-learn, and no test that wants this model.
    import joblib
    import numpy
    from sklearn.linear_model import LogisticRegression

    random = numpy.random.default_rng(1)
    features = random.normal(size=(400, 4))
    granted = (features @ [1.0, 0.5, -0.7, 0.2] > 0).astype(int)
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(LogisticRegression().fit(features, granted), path)
    return path


@pytest.fixture(scope="session")
def mlserver(tmp_path_factory, model_file):
    with servers.mlserver(tmp_path_factory.mktemp("mlserver"), model_file) as server:
        yield server


@pytest.fixture(scope="session")
def mlserver_url(mlserver):
    return mlserver.url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, mlserver_url):
    """The gateway with `ROUTES`; its log is the one that every test but `test_proof.py` adds to."""
    folder = tmp_path_factory.mktemp("gateway")
    with recompressing(mlserver_url) as compressed:
        (folder / "routes.toml").write_text(ROUTES.format(mlserver=mlserver_url, compressed=compressed))
        with servers.gateway(folder, "--config", folder / "routes.toml") as gateway:
            yield gateway


@pytest.fixture(scope="session")
def litellm_server(tmp_path_factory):
    with servers.litellm(tmp_path_factory.mktemp("litellm")) as server:
        yield server


@pytest.fixture(scope="session")
def replay():
    """Answers on the routes of `replayed`; a test says with what."""
    with replaying() as replay:
        yield replay


@pytest.fixture(scope="session")
def language(tmp_path_factory, litellm_server, replay):
    """The gateway before language models: a tap before it, and taps between it and LiteLLM, and it and the replay."""
    folder = tmp_path_factory.mktemp("language")
    with contextlib.ExitStack() as stack:
        backs = {"litellm": stack.enter_context(tapping(litellm_server.port))}
        backs["replay"] = stack.enter_context(tapping(replay.port))
        routes = LANGUAGE_ROUTES.format(litellm=backs["litellm"].url)
        for wire in ("openai", "anthropic", "ollama"):
            routes += REPLAY_ROUTE.format(wire=wire, replay=backs["replay"].url)
        (folder / "routes.toml").write_text(routes)
        gateway = stack.enter_context(servers.gateway(folder, "--config", folder / "routes.toml"))
        front = stack.enter_context(tapping(gateway.port))
        yield gateway, front, backs
        report = gateway.log.verify("--key", gateway.log.vkey())
        assert (report["ok"], report["faults"]) == (True, [])


@pytest.fixture
def litellm(language):
    """The path to LiteLLM's proxy."""
    return path_to(language, "litellm", "/litellm")


@pytest.fixture
def replayed(language):
    """The paths to the replay, by wire."""
    return lambda wire: path_to(language, "replay", f"/replay-{wire}")


@pytest.fixture
def answer_with(replayed, replay):
    """Has the replay answer with a transcript, in this way; the path on which it does."""

    def answer_with(transcript, **way):
        path = replayed(transcript.wire)
        replay.answer = Answer(transcript, **way)
        return path

    return answer_with


def path_to(language, name, prefix):
    gateway, front, backs = language
    path = Path(front.url + prefix, prefix, front, backs[name], gateway.log)
    path.skip()
    return path
