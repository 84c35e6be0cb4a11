"""Downloads weights once into the user's cache: whole and checked, or not at all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import DownloadError, NetworkError, first_line

# Told (file name, bytes so far, bytes in all or 0).
OnProgress = Callable[[str, int, int], None]

# To connect, and between two packets.
_PATIENCE_SECONDS = (10.0, 30.0)


class Download(NamedTuple):
    """A file, and one place to get it from.

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


def fetch(
    network: str, downloads: Sequence[Download], on_progress: OnProgress | None = None
) -> Path:
    """Return a file from the cache, downloading it first if it is not there.

    Args:
        network: Whose weights they are, for messages.
        downloads: Tried in turn; what is in the cache already comes first.
        on_progress: Told (file name, bytes so far, bytes in all or 0).

    Raises:
        NetworkError: None of them succeeds; says what to fetch, from where, and where to put it.
    """
    import pooch

    pooch.get_logger().setLevel(logging.CRITICAL)
    folder = cache_folder()
    for download in downloads:
        path, known = folder / download.name, download.known_hash
        if path.is_file() and (known is None or _matches(path, known)):
            return path
    problems = []
    for download in downloads:
        try:
            return _download(download, folder, on_progress)
        except Exception as error:  # requests, urllib3 and pooch fail in a dozen ways
            if isinstance(error, OSError) and error.filename is not None:
                raise NetworkError(
                    f"the cache {folder} cannot be written ({error.strerror}): choose another "
                    "folder with STREAM_DREAM_CACHE"
                ) from error
            problems.append(f"{download.url} ({_reason(error)})")
    raise DownloadError(
        f"the weights of {network} cannot be downloaded: fetch {' or '.join(problems)} and put it "
        f"into {folder}, or give it with --weights FILE"
    )


def is_fetched(downloads: Sequence[Download]) -> bool:
    """Return whether one of the downloads lies in the cache; it is not looked into."""
    return any((cache_folder() / download.name).is_file() for download in downloads)


def _download(download: Download, folder: Path, on_progress: OnProgress | None) -> Path:
    """Download to a temporary file, check it, and only then give it its name."""
    import pooch

    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(download.name, on_progress) if on_progress else False,
        timeout=_PATIENCE_SECONDS,
    )
    return Path(
        pooch.retrieve(
            download.url,
            known_hash=download.known_hash,
            fname=download.name,
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

    def __init__(self, name: str, on_progress: OnProgress) -> None:
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
