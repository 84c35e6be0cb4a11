"""Says in one line what went wrong on a Ray cluster."""

from __future__ import annotations

from pathlib import Path

from ray import exceptions as raised

from stream_dream.errors import SettingsError, SourceError, first_line
from stream_dream.film.cluster.connection import BROKEN, ClusterLost
from stream_dream.film.cluster.worker import Unseen

# What Ray says of workers whose machine is gone.
_NODE_DIED = "its node has died"


class WorkerLost(Exception):
    """A worker, or its machine, that has vanished with its chunk."""


def explained(error: BaseException, machine: str | None, *, local: bool) -> BaseException:
    """Return the error that a chunk is to fail with.

    Args:
        error: What waiting for the chunk has raised.
        machine: Who dreamed it; None if that never became known.
        local: True if Ray runs on this machine only.

    Returns:
        What the worker itself has raised; ``WorkerLost`` where it vanished; ``ClusterLost`` where
        the connection broke.
    """
    where = machine or "a machine of the cluster"
    if isinstance(error, raised.RayTaskError):
        cause = getattr(error, "cause", None)
        if isinstance(cause, raised.RaySystemError):  # the order could not be read
            return _unequipped(getattr(cause, "client_exc", cause), where)
        if isinstance(cause, raised.RayError):  # what a worker was told by its own Ray
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
    if isinstance(error, broken) or not isinstance(error, Exception):  # Ray ends threads then
        return ClusterLost(BROKEN)
    return error


def _of_task(error: BaseException, cause: object, where: str) -> BaseException:
    """Unwrap what was raised on a worker."""
    # The second is what a worker says that cannot find the function itself.
    if isinstance(cause, ImportError) or "failed to import on the worker" in str(cause):
        return _unequipped(cause, where)
    if isinstance(cause, Unseen):
        return unseen(Path(cause.path), cause.machine, cause.size)
    return cause if isinstance(cause, Exception) else WorkerLost(f"{where}: {first_line(error)}")


def _unequipped(cause: object, where: str) -> SettingsError:
    reason = (str(cause).strip() or type(cause).__name__).splitlines()[-1]
    return SettingsError(
        f"{where} cannot load what dreams ({reason}): install the same stream_dream on all "
        "machines, in the Python that runs Ray"
    )


def unseen(path: Path, machine: str, size: int) -> SettingsError | SourceError:
    """Say that a machine does not see a file as it was here, so many bytes long."""
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
