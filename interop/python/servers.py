"""Starts servers on free loopback ports, waits until they answer, and ends them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from reader import BINARY, Inferlog

START_SECONDS_MAX = 90
STOP_SECONDS_MAX = 20


def free_ports(count):
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(command, folder, *ready_urls, **environment):
    """Runs a server until the block ends; enters it once these answer 200. Its output is `folder/server.log`."""
    log = Path(folder) / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        for url in ready_urls:
            wait_until_ready(process, url, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process, url, log):
    give_up = time.monotonic() + START_SECONDS_MAX
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        tail = log.read_text(errors="replace")[-4000:]
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}:\n{tail}")
        if time.monotonic() > give_up:
            raise RuntimeError(f"{url} does not answer after {START_SECONDS_MAX} seconds:\n{tail}")
        time.sleep(0.05)


class Server(NamedTuple):
    """A server that runs."""

    url: str
    process: subprocess.Popen
    grpc_port: int | None = None

    @property
    def port(self):
        return urlsplit(self.url).port


@contextlib.contextmanager
def mlserver(folder, model_file, **more_settings):
    """MLServer with the models `credit`, version `v0.1.0`, `sleeper` and `counter`."""
    http_port, grpc_port = free_ports(2)
    settings = {
        "host": "127.0.0.1",
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_endpoint": None,
        "parallel_workers": 0,
        # As in production; the default puts a traceback into the answer.
        "debug": False,
        **more_settings,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    parameters = {"uri": str(model_file), "version": "v0.1.0"}
    add_model(folder, "credit", "mlserver_sklearn.SKLearnModel", parameters=parameters)
    for name in ("sleeper", "counter"):
        add_model(folder, name, f"{name}.{name.capitalize()}")
        shutil.copy(Path(__file__).with_name(f"{name}.py"), folder / name)
    url = f"http://127.0.0.1:{http_port}"
    command = [str(Path(sys.executable).parent / "mlserver"), "start", str(folder)]
    ready = [f"{url}/v2/models/{name}/ready" for name in ("credit", "sleeper", "counter")]
    with running(command, folder, *ready) as process:
        yield Server(url, process, grpc_port)


def add_model(folder, name, implementation, **settings):
    (folder / name).mkdir()
    settings = {"name": name, "implementation": implementation, **settings}
    (folder / name / "model-settings.json").write_text(json.dumps(settings))


# Of LiteLLM's proxy: model name to what `canned.py` does for it.
LITELLM_MODELS = {
    "gpt-4o-2024-08-06": "text",
    "gpt-4o-mini": "text",
    "claude-opus-4-5-20251101": "text",
    "slow": "slow",
    "tools": "tools",
    "object": "object",
    "breaks": "breaks",
    **{f"status-{status}": str(status) for status in (400, 401, 403, 404, 408, 429, 500, 503)},
}
# Answers of LiteLLM's own mock: what it does for several choices and for embeddings.
LITELLM_MOCKED = {"mocked": "Granted.", "text-embedding-3-small": [0.25, -0.5]}
LITELLM_KEY = "sk-not-to-be-recorded-0123456789"


@contextlib.contextmanager
def litellm(folder):
    """LiteLLM's proxy, which answers the wires of OpenAI and Anthropic from canned text. It calls nobody."""
    (port,) = free_ports(1)
    for name in ("canned.py", "sayings.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    canned = [
        {"model_name": name, "litellm_params": {"model": f"canned/{does}"}} for name, does in LITELLM_MODELS.items()
    ]
    mocked = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", "mock_response": answer}}
        for name, answer in LITELLM_MOCKED.items()
    ]
    config = {
        "model_list": canned + mocked,
        "litellm_settings": {"custom_provider_map": [{"provider": "canned", "custom_handler": "canned.handler"}]},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    # JSON is YAML.
    (folder / "config.yaml").write_text(json.dumps(config))
    python = Path(os.environ["INFERLOG_SERVERS_PYTHON"])
    command = [str(python.with_name("litellm")), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    environment = {
        "LITELLM_MASTER_KEY": LITELLM_KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    with running(command, folder, f"{url}/health/liveliness", **environment) as process:
        yield Server(url, process)


@contextlib.contextmanager
def kserve(folder):
    """KServe's model server with the model `credit` of `kserve_model.py`."""
    (port,) = free_ports(1)
    command = [os.environ["INFERLOG_SERVERS_PYTHON"], str(Path(__file__).with_name("kserve_model.py")), str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, f"{url}/v2/models/credit/ready") as process:
        yield Server(url, process)


@contextlib.contextmanager
def gateway(folder, *arguments):
    """`inferlog serve`; its data lies in `folder/data`, its root key beside it."""
    (port,) = free_ports(1)
    log = Inferlog(folder / "data", folder / "root-key")
    command = [BINARY, "serve", "--data", log.data, "--root-key", f"file:{log.root_key}"]
    command += ["--listen", f"127.0.0.1:{port}", *arguments]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, f"{url}/readyz") as process:
        yield Gateway(url, process, log)


class Gateway(NamedTuple):
    """A gateway that runs, and its data."""

    url: str
    process: subprocess.Popen
    log: Inferlog

    @property
    def port(self):
        return urlsplit(self.url).port
