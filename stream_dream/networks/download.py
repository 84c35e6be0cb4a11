"""Downloads weights once into the user's cache: whole and checked, or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import DownloadError, NetworkError, first_line

Progress = Callable[[str, int, int], None]

# To connect, and between two packets.
_PATIENCE_SECONDS = (10.0, 30.0)


class Source(NamedTuple):
    """One place to get a file from.

    Attributes:
        url: Where it is served.
        known_hash: Such as ``md5:0123``; None if it is unknown.
        name: File name in the cache.
    """

    url: str
    known_hash: str | None
    name: str


def cache_folder() -> Path:
    """Return where downloads are kept: ``$STREAM_DREAM_CACHE``, or the system's place for it."""
    import pooch

    return Path(os.environ.get("STREAM_DREAM_CACHE") or pooch.os_cache("stream_dream"))


def fetch(network: str, sources: Sequence[Source], on_progress: Progress | None = None) -> Path:
    """Return a file from the cache, downloading it first if it is not there.

    Args:
        network: Whose weights they are, for messages.
        sources: Tried in turn; what is in the cache already comes first.
        on_progress: Told (file name, bytes so far, bytes in all or 0).

    Raises:
        NetworkError: No source delivers; says what to fetch, from where, and where to put it.
    """
    import pooch

    pooch.get_logger().setLevel(logging.CRITICAL)
    folder = cache_folder()
    for source in sources:
        path = folder / source.name
        if path.is_file() and (source.known_hash is None or _matches(path, source.known_hash)):
            return path
    problems = []
    for source in sources:
        try:
            return _download(source, folder, on_progress)
        except Exception as error:  # requests, urllib3 and pooch fail in a dozen ways
            if isinstance(error, OSError) and error.filename is not None:
                raise NetworkError(
                    f"the cache {folder} cannot be written ({error.strerror}): choose another "
                    "folder with STREAM_DREAM_CACHE"
                ) from error
            problems.append(f"{source.url} ({_reason(error)})")
    raise DownloadError(
        f"the weights of {network} cannot be downloaded: fetch {' or '.join(problems)} and put it "
        f"into {folder}, or give it with --weights FILE"
    )


def is_fetched(sources: Sequence[Source]) -> bool:
    """Return whether one of the sources' files lies in the cache; it is not looked into."""
    return any((cache_folder() / source.name).is_file() for source in sources)


def _download(source: Source, folder: Path, on_progress: Progress | None) -> Path:
    """Download to a temporary file, check it, and only then give it its name."""
    import pooch

    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(source.name, on_progress) if on_progress else False,
        timeout=_PATIENCE_SECONDS,
    )
    return Path(
        pooch.retrieve(
            source.url,
            known_hash=source.known_hash,
            fname=source.name,
            path=folder,
            downloader=downloader,
        )
    )


def _matches(path: Path, known_hash: str) -> bool:
    import pooch

    algorithm, _, expected = known_hash.partition(":")
    return bool(pooch.file_hash(str(path), alg=algorithm) == expected)


class _Bar:
    """What pooch takes for a progress bar."""

    def __init__(self, name: str, on_progress: Progress) -> None:
        self.total = 0
        self._name, self._on_progress, self._done = name, on_progress, 0

    def update(self, count: int) -> None:
        # pooch counts full chunks, also for the last one.
        total = int(self.total or 0)
        self._done = min(self._done + count, total or self._done + count)
        self._on_progress(self._name, self._done, total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def _reason(error: BaseException) -> str:
    """Say in a few words why a download failed."""
    import requests

    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code}"
    if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return "does not answer"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "delivers another file than expected, deleted again"
    return first_line(error)
