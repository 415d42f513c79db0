"""A PostgreSQL server of a test's own, from the binaries that Debian installs."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from servers import START_SECONDS_MAX, STOP_SECONDS_MAX, free_ports

USER = "follower"
DATABASE = "hr_assistant"


class Postgres(NamedTuple):
    """A server that runs: one database, whose owner is `USER`, on a Unix socket."""

    folder: Path
    port: int

    @property
    def url(self):
        folder = str(self.folder).replace("/", "%2F")
        return f"postgres://{USER}@{folder}:{self.port}/{DATABASE}"

    @property
    def config(self):
        """What psycopg2 connects with."""
        return {"host": str(self.folder), "port": self.port, "user": USER, "dbname": DATABASE}


@contextlib.contextmanager
def postgres():
    folders = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda bin: int(bin.parent.name))
    assert folders, "PostgreSQL is not installed: apt-get install postgresql"
    binaries = folders[-1]
    # It refuses to run as root; then it runs as the user that its package made.
    is_root = os.geteuid() == 0
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if is_root else []
    folder = Path(tempfile.mkdtemp(prefix="inferlog-postgres-"))
    (port,) = free_ports(1)
    try:
        if is_root:
            shutil.chown(folder, "postgres", "postgres")
        run = {"cwd": "/", "check": True, "stdout": subprocess.DEVNULL}
        initdb = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--no-sync"]
        subprocess.run([*user, *initdb, "--auth=trust", "--locale=C"], **run)
        server = [binaries / "postgres", "-D", folder / "data", "-k", folder, "-p", str(port), "-c", "listen_addresses="]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*user, *server], cwd="/", stdout=log, stderr=subprocess.STDOUT)
        try:
            where = ["-h", folder, "-p", str(port)]
            await_ready(process, [binaries / "pg_isready", "-q", *where], folder / "log")
            for sql in (f"CREATE ROLE {USER} LOGIN", f"CREATE DATABASE {DATABASE} OWNER {USER}"):
                subprocess.run([binaries / "psql", *where, "-U", "postgres", "-q", "-c", sql], **run)
            yield Postgres(folder, port)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS_MAX)
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder)


def await_ready(process, is_ready, log):
    give_up = time.monotonic() + START_SECONDS_MAX
    while subprocess.run(is_ready, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"PostgreSQL does not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)
