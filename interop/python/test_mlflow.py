"""`inferlog models import` against MLflow's own server, filled by MLflow's own client."""

import hashlib
import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import joblib
import pytest

import servers
from reader import SYSTEM

# Before it is imported: neither client nor server is to call home.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402

# More than the import asks for at once.
OTHERS = 205


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An MLflow server that leaves artifacts to its clients, on this machine."""
    folder = tmp_path_factory.mktemp("mlflow")
    (port,) = servers.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--no-serve-artifacts", "--default-artifact-root", f"file://{folder}/artifacts",
    ]
    with servers.running(command, folder, f"{url}/health"):
        yield url


@pytest.fixture(scope="module")
def client(server, model_file):
    """The server's client; `credit` has three versions, the last one without files on this machine."""
    mlflow.set_tracking_uri(server)
    client = MlflowClient(server)
    model = joblib.load(model_file)
    for _ in range(2):
        with mlflow.start_run():
            mlflow.sklearn.log_model(model, name="model", registered_model_name="credit", serialization_format="pickle")
    client.create_model_version("credit", "s3://bucket/credit/3")
    client.set_registered_model_alias("credit", "champion", "2")
    client.set_registered_model_alias("credit", "challenger", "3")
    for number in range(OTHERS):
        client.create_registered_model(f"other-{number:03}")
    client.create_model_version("other-204", "s3://bucket/other")
    client.create_registered_model("not a name for records")
    return client


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A data directory that a gateway serves meanwhile."""
    with servers.gateway(
        tmp_path_factory.mktemp("registry"), "--system", SYSTEM, "--upstream", "http://127.0.0.1:1"
    ) as gateway:
        yield gateway.log


def imported(log, server, *arguments, status=0):
    told = log.run("models import", "--mlflow", server, "--json", *arguments, status=status)
    return list(map(json.loads, told.splitlines()))


def models(log):
    listed = map(json.loads, log.run("models list", "--json").splitlines())
    return {f"{model['name']}@{model['version']}": model for model in listed}


def manifest_digest(folder):
    """The digest of a directory as docs/registry.md has it."""
    files = sorted(
        (
            {
                "path": path.relative_to(folder).as_posix(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "size": path.stat().st_size,
            }
            for path in folder.rglob("*") if path.is_file()
        ),
        key=lambda file: file["path"].encode(),
    )
    manifest = {"files": files, "format": 1}
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def test_models_versions_and_aliases_come_over(server, client, log):
    # One name cannot stand in records: it is left out, and told.
    first = imported(log, server, status=1)
    assert all(added["is_new"] for added in first)
    known = models(log)
    assert sorted(known) == ["credit@1", "credit@2", "credit@3", "other-204@1"]
    for version in ("1", "2"):
        model = known[f"credit@{version}"]
        assert model["location"] == client.get_model_version_download_uri("credit", version)
        folder = Path(unquote(urlparse(model["location"]).path))
        assert (folder / "MLmodel").exists()
        assert model["digest"] == manifest_digest(folder)
        assert model["source"] == f"mlflow {server}"
    assert known["credit@1"]["digest"] != known["credit@2"]["digest"], "they name their runs"
    assert known["credit@3"]["location"] == "s3://bucket/credit/3"
    assert "digest" not in known["credit@3"]
    assert [known[f"credit@{version}"]["aliases"] for version in "123"] == [[], ["champion"], ["challenger"]]

    again = imported(log, server, "--name", "credit")
    assert len(again) == 5
    assert not any(added["is_new"] for added in again)


def test_aliases_follow(server, client, log):
    imported(log, server, "--name", "credit")
    client.set_registered_model_alias("credit", "champion", "3")
    client.delete_registered_model_alias("credit", "challenger")
    changed = [added for added in imported(log, server, "--name", "credit") if added["is_new"]]
    assert [added["kind"] for added in changed] == ["alias", "alias"]
    assert [models(log)[f"credit@{version}"]["aliases"] for version in "123"] == [[], [], ["champion"]]


def test_a_model_that_is_not_there_is_told(server, client, log):
    imported(log, server, "--name", "none", status=2)
