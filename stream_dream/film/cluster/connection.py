"""Connects to a Ray cluster, or starts Ray on this machine, and cleans up after it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError, StreamDreamError, first_line
from stream_dream.film.cluster.shares import Node
from stream_dream.film.cluster.shipping import sweep
from stream_dream.runtime.quiet import debugging, hushed
from stream_dream.runtime.scheduling import cores
from stream_dream.settings.film import FilmSettings

LOCAL, _FOUND = "local", "auto"
_MISSING = "--cluster needs the extra cluster: pip install 'stream-dream[cluster]'"
# Ray itself waits for two minutes if a program other than Ray listens at the address.
_PROBE_SECONDS, _CONNECT_SECONDS = 5.0, 25.0
_START_SECONDS = 120.0
_END_SECONDS = 20.0
BROKEN = "the connection to the Ray cluster has broken"
_CLIENT, _CLIENT_PORT = "ray://", 10001


class ClusterLost(StreamDreamError):
    """The connection to the cluster has broken."""


@contextmanager
def reached(film: FilmSettings) -> Iterator[Cluster | None]:
    """Connect to the cluster named in the settings; yield None if there is none.

    Raises:
        SettingsError: Ray is not installed, or no cluster answers.
    """
    if film.cluster is None:
        if film.ship:
            raise SettingsError("--ship is for clusters: give the address of one with --cluster")
        yield None
        return
    cluster = Cluster(film.cluster, film.wanted_workers)
    try:
        yield cluster
    except BaseException as error:
        cluster.close(wait=isinstance(error, Exception))
        raise
    cluster.close(wait=True)


class Cluster:
    """A connection to Ray.

    Attributes:
        ray: The imported package.
        local: True if Ray was started on this machine for this run only.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        """Connect, or start Ray.

        Args:
            address: ``local`` to start Ray, or an address that Ray accepts.
            workers: Minimum number of workers that a local Ray must have room for; None for one
                per core.

        Raises:
            SettingsError: Ray is not installed, or no cluster answers.
        """
        self.ray = _imported()
        self.local = address == LOCAL
        self._address, self._workers = address, workers
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._session: Path | None = None
        if not self.ray.is_initialized():  # else the connection belongs to the caller
            self._connect()

    def nodes(self) -> list[Node]:
        """Return the machines that are alive."""
        found = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Node(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in found]

    def holds(self) -> bool:
        """Return whether the node of this connection still belongs to the cluster."""
        here = self.ray.get_runtime_context().get_node_id()
        return any(node["Alive"] and node["NodeID"] == here for node in self.ray.nodes())

    def renew(self) -> None:
        """Connect or start Ray again, while no thread uses the connection.

        Raises ``ClusterLost``.
        """
        if self._thread is None:
            raise ClusterLost(BROKEN)
        self.close(wait=True)
        try:
            self._connect()
        except SettingsError as error:
            raise ClusterLost(f"{BROKEN}: {error}") from error

    def close(self, *, wait: bool) -> None:
        """Disconnect; shut down a local Ray, or kill it without ``wait``."""
        if self._thread is None:
            return
        if self.local and not wait:
            self._kill()
        else:
            self._ended.set()
            self._thread.join(_END_SECONDS)
        self._thread = None
        if self.local:
            sweep()  # killed workers leave their files behind
            if self._session is not None and not debugging():
                _remove_session(self._session)

    def _connect(self) -> None:
        if not self.local:
            _probe(self._address)
        connected, self._ended = Future[None](), threading.Event()
        self._thread = threading.Thread(
            target=self._stay, args=(connected, self._ended), name="ray", daemon=True
        )
        seconds = _START_SECONDS if self.local else _CONNECT_SECONDS
        try:
            with hushed():
                self._thread.start()
                wait([connected], seconds)
            connected.result(0)
        except (Exception, SystemExit) as error:
            self._ended.set()
            self._thread = None
            late = TimeoutError(f"nothing within {seconds:.0f} s")
            reason = late if isinstance(error, TimeoutError) else error
            raise _no_cluster(self._address, reason) from error
        except KeyboardInterrupt:
            self.close(wait=True)
            raise
        finally:
            _take_back_signals()

    def _stay(self, connected: Future[None], ended: threading.Event) -> None:
        """Connect, and stay connected until ``ended`` is set.

        Runs in a thread of its own: waiting for a cluster cannot be interrupted otherwise, and on
        Linux Ray's processes end together with the thread that has started them.
        """
        # Inherited by Ray's processes: systemd or a closed terminal would end them while this run
        # still waits for its running chunks. Ray itself blocks Ctrl-C for them. Ray's shutdown
        # takes four seconds longer, as it waits for SIGTERM to act before it kills.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
        try:
            context = self.ray.init(**self._settings())
        except BaseException as error:
            with suppress(Exception):
                self.ray.shutdown()  # stop the processes that have started
            connected.set_exception(error)
            return
        if self.local:
            self._session = Path(context.address_info["session_dir"])
        connected.set_result(None)
        ended.wait()
        self.ray.shutdown()

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"address": self._address, "log_to_driver": debugging()}
        if self.local:
            settings["num_cpus"] = max(cores(), self._workers or 0)
            settings["include_dashboard"] = False
        if not debugging():
            logging.getLogger("ray").setLevel(logging.CRITICAL)
            settings["logging_level"] = logging.CRITICAL
        return settings

    def _kill(self) -> None:
        """Kill the processes of a local Ray: a shutdown is too slow after a second Ctrl-C.

        Kill all of them: two of Ray's processes would wait a minute for the others.
        """
        import psutil  # Ray brings it along

        package = str(Path(self.ray.__file__).parent)
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if package in " ".join(child.cmdline()):
                    for process in [*child.children(recursive=True), child]:
                        process.kill()


def _remove_session(folder: Path) -> None:
    """Remove the folder of a Ray session, which Ray never does."""
    latest = folder.with_name("session_latest")
    with suppress(OSError):
        if latest.readlink() == folder:
            latest.unlink()  # Ray does not replace a dangling link
    shutil.rmtree(folder, ignore_errors=True)


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns
    if not debugging():
        # Ray reports every worker that dies on standard output, whatever the logging level.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    try:
        import ray
    except ImportError:
        raise SettingsError(_MISSING) from None
    return ray


def _take_back_signals() -> None:
    """Restore Python's handler of SIGTERM: Ray's treats the signal as a failure of this process."""
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _probe(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself takes up to two minutes to fail."""
    place = address.removeprefix(_CLIENT)
    host, colon, port = place.rpartition(":")
    if not colon and address.startswith(_CLIENT):
        host, port = place, str(_CLIENT_PORT)
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PROBE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: BaseException) -> SettingsError:
    reason = getattr(error, "strerror", None) or first_line(error)
    if reason.endswith(":"):  # Ray reports mismatched versions of Ray and Python in several lines
        reason = " ".join(str(error).split())
    if address == LOCAL:
        return SettingsError(f"Ray could not be started on this machine: {reason}")
    if address == _FOUND and "RAY_ADDRESS" not in os.environ:
        return SettingsError(
            "no Ray cluster was found on this machine: start one with ray start --head, or give "
            "the address of one"
        )
    problem = f"no Ray cluster answers at {address} ({reason}): check the address"
    if isinstance(error, OSError) and error.errno is not None:  # nothing listens
        return SettingsError(f"{problem}, and that ray start has been called there")
    return SettingsError(f"{problem}; if the cluster asks for a token, set RAY_AUTH_MODE=token")
