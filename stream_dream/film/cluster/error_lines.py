"""Translates Ray's exceptions into errors of one line."""

from __future__ import annotations

from pathlib import Path

from ray import exceptions as raised

from stream_dream.errors import SettingsError, SourceError, first_line
from stream_dream.film.cluster.connection import BROKEN, ClusterLost
from stream_dream.film.cluster.worker import Unseen

# In Ray's message for workers whose machine has gone.
_NODE_DIED = "its node has died"


class WorkerLost(Exception):
    """A worker or its machine was lost together with its chunk."""


def explained(error: BaseException, machine: str | None, *, local: bool) -> BaseException:
    """Return the error with which a chunk fails.

    Args:
        error: The exception raised by waiting for the chunk.
        machine: The machine of its worker; None if unknown.
        local: True if Ray runs on this machine only.

    Returns:
        The worker's own exception; ``WorkerLost`` if the worker was lost; ``ClusterLost`` if the
        connection broke.
    """
    where = machine or "a machine of the cluster"
    if isinstance(error, raised.RayTaskError):
        cause = getattr(error, "cause", None)
        if isinstance(cause, raised.RaySystemError):  # the worker could not unpickle the call
            return _unequipped(getattr(cause, "client_exc", cause), where)
        if isinstance(cause, raised.RayError):  # raised by Ray within the worker
            return explained(cause, machine, local=False)
        return _of_task(error, cause, where)
    if isinstance(error, raised.OutOfMemoryError):
        return WorkerLost(f"the memory of {where} was full, so Ray ended the worker")
    gone = isinstance(error, raised.NodeDiedError) or _NODE_DIED in str(error)
    if isinstance(error, raised.ActorUnavailableError) or (gone and not local):
        return WorkerLost(f"{where} has died, or cannot be reached any more")
    if isinstance(error, raised.RayActorError | raised.WorkerCrashedError) and not gone:
        return WorkerLost(f"the worker on {where} was killed")
    if isinstance(error, raised.ObjectLostError):
        return WorkerLost(f"what was sent to or by {where} was lost on the way")
    if isinstance(error, raised.ObjectStoreFullError | raised.OutOfDiskError):
        return WorkerLost(f"the object store of {where} is full: {first_line(error)}")
    broken = (
        raised.NodeDiedError,
        raised.RayActorError,
        raised.LocalRayletDiedError,
        raised.RaySystemError,
        raised.RpcError,
        ConnectionError,
    )
    # Not an Exception: Ray ends the calling thread when the connection breaks.
    if isinstance(error, broken) or not isinstance(error, Exception):
        return ClusterLost(BROKEN)
    return error


def _of_task(error: BaseException, cause: object, where: str) -> BaseException:
    """Unwrap an exception raised in a worker."""
    # The message is Ray's if the worker cannot import the actor class.
    if isinstance(cause, ImportError) or "failed to import on the worker" in str(cause):
        return _unequipped(cause, where)
    if isinstance(cause, Unseen):
        path, machine, size = cause.args
        return unseen(Path(path), machine, size)
    return cause if isinstance(cause, Exception) else WorkerLost(f"{where}: {first_line(error)}")


def _unequipped(cause: object, where: str) -> SettingsError:
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[-1]
    return SettingsError(
        f"{where} cannot load what dreams ({reason}): install the same stream_dream on all "
        "machines, in the Python that runs Ray"
    )


def unseen(path: Path, machine: str, size: int) -> SettingsError | SourceError:
    """Return the error for a file that a machine does not see as this one did, ``size`` bytes."""
    try:
        here = path.stat().st_size
    except OSError:
        return SourceError(f"{path} does not exist any more: put it back")
    if here != size:
        return SourceError(f"{path} has changed while it was used: put back what it was")
    return SettingsError(
        f"{machine} does not see {path} as it is here: put it on a disk that all machines share, "
        "under the same path, or give --ship"
    )
