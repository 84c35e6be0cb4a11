"""Connects to a Ray cluster, or starts Ray on this machine, and leaves nothing of it behind."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError, StreamDreamError, first_line
from stream_dream.film.cluster.room import sweep
from stream_dream.film.cluster.shares import Node
from stream_dream.film_settings import FilmSettings
from stream_dream.quiet import debugging, hushed

LOCAL, _FOUND = "local", "auto"
_MISSING = "--cluster needs the extra cluster: pip install 'stream-dream[cluster]'"
# An address at which somebody listens who is not Ray keeps Ray waiting for two minutes.
_PROBE_SECONDS, _CONNECT_SECONDS = 5.0, 25.0
_START_SECONDS = 120.0
_END_SECONDS = 10.0
# Who uses the connection looks several times a second whether it is to be given up.
_LEAVE_SECONDS = 5.0
_CLIENT, _CLIENT_PORT = "ray://", 10001


class ClusterLost(StreamDreamError):
    """The connection to the cluster has broken."""


@contextmanager
def reached(film: FilmSettings) -> Iterator[Cluster | None]:
    """Connect to the cluster that dreams a film; None where there is none.

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
        ray: The package.
        local: True if Ray runs on this machine, for us alone.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        """Connect, or start Ray.

        Args:
            address: ``local``, or an address as Ray takes them.
            workers: How many workers Ray has to have room for where it is started here; None for
                one on each core.

        Raises:
            SettingsError: Ray is not installed, or no cluster answers.
        """
        self.ray = _imported()
        self.local = address == LOCAL
        self._address, self._workers = address, workers
        self._thread = _Thread()
        self._users: list[threading.Thread] = []
        self._changing = threading.Lock()
        self._started: list[Any] = []
        self._session: str | None = None
        self._ours = not self.ray.is_initialized()  # else the connection belongs to the caller
        if self._ours:
            self._connect()

    def nodes(self) -> list[Node]:
        """Return the machines that are there now."""
        found = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return [Node(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in found]

    def holds(self) -> bool:
        """Return whether the machine that connects us still belongs to the cluster."""
        here = self.ray.get_runtime_context().get_node_id()
        return any(node["Alive"] and node["NodeID"] == here for node in self.ray.nodes())

    def use(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function that uses the connection, in a thread of its own.

        The connection is not given up before it returns. A call to Ray without a connection would
        look for a cluster and connect to it, and during the end of one Ray ends this process.
        """
        user = threading.Thread(target=function, args=arguments, daemon=True)
        with self._changing:
            user.start()
            self._users = [each for each in self._users if each.is_alive()] + [user]

    def renew(self) -> None:
        """Connect anew, or start Ray anew; those who use the connection have been told to end.

        Raises:
            ClusterLost: That is not possible.
        """
        if not self._ours:
            raise ClusterLost("the connection to the Ray cluster has broken")
        self._leave()
        self._disconnect()
        try:
            self._connect()
        except SettingsError as error:
            raise ClusterLost(f"the connection to the Ray cluster has broken: {error}") from error

    def close(self, *, wait: bool) -> None:
        """Disconnect; where Ray was started here, all its processes end.

        Those who use the connection have been told to end.
        """
        if wait or not self.local:
            self._leave()
        if not self._ours:
            return
        self._ours = False
        if wait or not self.local:
            self._disconnect(_END_SECONDS if wait else 0.5)
        else:
            self._kill()

    def _connect(self) -> None:
        settings: dict[str, Any] = {"address": self._address, "log_to_driver": debugging()}
        if self.local:
            settings["num_cpus"] = max(os.cpu_count() or 1, self._workers or 0)
            settings["include_dashboard"] = False
        else:
            _probe(self._address)
        if not debugging():
            logging.getLogger("ray").setLevel(logging.CRITICAL)
            settings["logging_level"] = logging.CRITICAL
        seconds = _START_SECONDS if self.local else _CONNECT_SECONDS
        before = self._children()
        try:
            with hushed():
                context = self._call(lambda: self.ray.init(**settings), seconds)
        finally:
            self._started = [child for child in self._children() if child not in before]
            _take_back_signals()
        if isinstance(context, BaseException):
            self._kill()
            raise _no_cluster(self._address, context) from context
        if self.local:
            self._session = getattr(context, "address_info", {}).get("session_dir")

    def _leave(self) -> None:
        """Wait until nobody uses the connection any more."""
        late = time.monotonic() + _LEAVE_SECONDS
        with self._changing:
            users = self._users.copy()
        for user in users:
            user.join(max(0.0, late - time.monotonic()))

    def _call(self, function: Callable[[], Any], seconds: float) -> Any:
        """Call a function in the thread of Ray; return what it returns, or raises."""
        try:
            return self._thread.call(function).result(seconds)
        except FutureTimeout:
            return TimeoutError(f"nothing within {seconds:.0f} s")
        except (Exception, SystemExit) as error:
            return error

    def _disconnect(self, seconds: float = _END_SECONDS) -> None:
        # Nobody is at work any more, and Ray would wait for each of those who do not hear SIGTERM.
        _end([process for process in self._started if _name(process) != "gcs_server"])
        self._call(self.ray.shutdown, seconds)
        self._kill()

    def _kill(self) -> None:
        """End what is left of the processes that were started here, at once."""
        _end(self._started)
        if self._started:
            sweep()  # workers that are ended leave their rooms behind
        self._started = []
        if self._session is not None and not debugging():
            _remove_session(Path(self._session))
            self._session = None

    def _children(self) -> list[Any]:
        import psutil

        return list(psutil.Process().children()) if self.local else []


def _end(processes: list[Any]) -> None:
    """Kill processes, and those that they have started."""
    import psutil  # Ray brings it along

    doomed = list(processes)
    for process in processes:
        with suppress(psutil.Error):
            doomed += process.children(recursive=True)
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(doomed, _END_SECONDS)


def _name(process: Any) -> str:
    import psutil

    with suppress(psutil.Error):
        return str(process.name())
    return ""  # it is gone


def _remove_session(folder: Path) -> None:
    """Remove what Ray has written down about itself."""
    latest = folder.with_name("session_latest")
    with suppress(OSError):
        if latest.readlink() == folder:
            latest.unlink()  # Ray would never replace a link to nothing
    shutil.rmtree(folder, ignore_errors=True)


class _Thread:
    """A thread that starts Ray and ends it, and lives as long as this process.

    In the main thread Ray would answer signals in its own way. And on Linux the processes that it
    starts end with the thread that started them.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="ray", daemon=True).start()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        future = Future[Any]()
        self._calls.put((function, future))
        return future

    def _work(self) -> None:
        # Inherited by Ray's processes: a closed terminal would end them, where we end in good order
        # when the chunks in work are done. Ray does the same about Ctrl-C.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
        while True:
            function, future = self._calls.get()
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)


def _imported() -> Any:
    """Import Ray.

    Raises:
        SettingsError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns
    try:
        import ray
        from ray._private import worker
    except ImportError:
        raise SettingsError(_MISSING) from None
    if not ray.is_initialized() and not debugging() and hasattr(worker, "print_to_stdstream"):
        # It tells of every worker that dies, on standard output, whatever one asks for.
        worker.print_to_stdstream = lambda *_, **__: None
    return ray


def _take_back_signals() -> None:
    """Restore Python's handler of SIGTERM: Ray's takes the signal for a failure of this process."""
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _probe(address: str) -> None:
    """Refuse an address at which nobody listens: Ray itself needs up to two minutes for that."""
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
    """Say why there is no connection, and what to do."""
    reason = getattr(error, "strerror", None) or first_line(error)
    if reason.endswith(":"):  # of other versions of Ray and Python it tells in several lines
        reason = " ".join(str(error).split())
    if address == LOCAL:
        return SettingsError(f"Ray could not be started on this machine: {reason}")
    if address == _FOUND and "RAY_ADDRESS" not in os.environ:
        return SettingsError(
            "no Ray cluster was found on this machine: start one with ray start --head, or give "
            "the address of one"
        )
    problem = f"no Ray cluster answers at {address} ({reason}): check the address"
    if isinstance(error, OSError) and error.errno is not None:  # nobody listens
        return SettingsError(f"{problem}, and that ray start has been called there")
    return SettingsError(f"{problem}; if the cluster asks for a token, set RAY_AUTH_MODE=token")
