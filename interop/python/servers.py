"""Starts servers on free loopback ports, waits until they answer, and ends them."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

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
def running(command, folder, ready_url):
    """Runs a server until the block ends; enters it once `ready_url` answers 200. Its output is `folder/server.log`."""
    log = Path(folder) / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until_ready(process, ready_url, log)
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


@contextlib.contextmanager
def mlserver(folder, model_file, **more_settings):
    """MLServer with the model `credit`, version `v0.1.0`; yields its address."""
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
    model_settings = {
        "name": "credit",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model_file), "version": "v0.1.0"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model_settings))
    url = f"http://127.0.0.1:{http_port}"
    command = [str(Path(sys.executable).parent / "mlserver"), "start", str(folder)]
    with running(command, folder, f"{url}/v2/models/credit/ready"):
        yield url
