"""MLflow's pages on this machine: one small server, ours to stop.

Goes in: the folder of models and a port. Comes out: a running server on 127.0.0.1, and
where to look. A store that is a server already is left alone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from leadscore.errors import BusyError, StorageError
from leadscore.tracking.registry import Version, aliases
from leadscore.tracking.store import database_of, opened, store_uri
from leadscore.tracking.views import links

__all__ = ["Server", "serve"]

HOST = "127.0.0.1"
_READY_S = 180.0
_STOP_S = 15.0
_PAUSE_S = 0.5
# Without the first, seven helper processes start for what we never ask for.
_SMALL = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Server:
    """Where to look.

    Parameters
    ----------
    pages : dict of str to str
        Links by what they show.
    process : subprocess.Popen or None
        None: the store is a server of its own.
    """

    pages: dict[str, str]
    process: subprocess.Popen[bytes] | None

    def wait(self) -> None:
        """Wait until the server ends."""
        if self.process is not None:
            self.process.wait()


@contextlib.contextmanager
def serve(models: Path, *, port: int) -> Iterator[Server]:
    """Give a server for the length of the block.

    Parameters
    ----------
    models : Path
    port : int

    Raises
    ------
    BusyError
        Another program listens on the port.
    StorageError
        The server did not start; and what `opened` raises.
    """
    with opened(models) as store:
        shown = _version_to_show(aliases(store))
        experiment_id, is_server = store.experiment_id, store.is_server
    if is_server:
        uri = store_uri(models).rstrip("/")
        yield Server(links(uri, experiment_id, shown), None)
        return
    _check_port(port)
    base = f"http://{HOST}:{port}"
    with tempfile.TemporaryFile() as said:
        process = _start(models, port, said)
        try:
            _wait_until_ready(process, base, said)
            yield Server(links(base, experiment_id, shown), process)
        finally:
            _stop(process)


def _version_to_show(named: dict[str, Version]) -> Version | None:
    return named.get("challenger") or named.get("champion")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = (
                f"port {port} of {HOST} is taken: {error.strerror}. Is another "
                "`leadscore ui` open? Else name a free port with --port."
            )
            raise BusyError(msg) from error


def _start(models: Path, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    uri = store_uri(models)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST]
    command += ["--port", str(port), "--workers", "1"]
    database = database_of(uri)
    if database is not None:
        artifacts = (database.parent / "mlartifacts").resolve().as_uri()
        command += ["--default-artifact-root", artifacts, "--no-serve-artifacts"]
    # Its own group: its worker ends with it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter, nothing of a shell
        command,
        # The address may hold a password: not where a list of processes shows it.
        env=os.environ | _SMALL | {"MLFLOW_BACKEND_STORE_URI": uri},
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )


def _wait_until_ready(
    process: subprocess.Popen[bytes], base: str, said: IO[bytes]
) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
            msg = (
                f"MLflow's server ended at once: {' '.join(last) or 'no reason given'}."
            )
            raise StorageError(msg)
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{base}/health", timeout=5).close()  # noqa: S310
            return
        time.sleep(_PAUSE_S)
    msg = f"MLflow's server did not answer within {_READY_S:.0f} s. Try again."
    raise StorageError(msg)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 15)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
