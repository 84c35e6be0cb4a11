"""Download weights to the user's cache, completely and checked."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import DownloadError, NetworkError, first_line

# Called with (file name, bytes so far, bytes in all or 0 if unknown).
OnProgress = Callable[[str, int, int], None]

# Time limits to connect, and between two packets.
_PATIENCE_SECONDS = (10.0, 30.0)


class Download(NamedTuple):
    """A file to download.

    Attributes:
        url: Its address.
        known_hash: Such as ``md5:0123``; None if unknown.
        name: File name in the cache.
    """

    url: str
    known_hash: str | None
    name: str


def cache_folder() -> Path:
    """Return the folder of downloads: ``$STREAM_DREAM_CACHE``, or one in the system's cache."""
    import pooch

    return Path(os.environ.get("STREAM_DREAM_CACHE") or pooch.os_cache("stream_dream"))


def fetch(
    network: str, downloads: Sequence[Download], on_progress: OnProgress | None = None
) -> Path:
    """Return a file from the cache, downloaded first if needed.

    Args:
        network: Name of the network, for messages.
        downloads: Alternatives, tried in order; files in the cache come first.
        on_progress: Callback for progress.

    Raises:
        NetworkError: The cache cannot be written.
        DownloadError: No download succeeds; the message says how to fetch the file by hand.
    """
    import pooch

    pooch.get_logger().setLevel(logging.CRITICAL)
    folder = cache_folder()
    for download in downloads:
        path = folder / download.name
        if path.is_file() and pooch.hashes.hash_matches(str(path), download.known_hash):
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
    """Return whether one of the downloads is in the cache; its hash is not checked."""
    return any((cache_folder() / download.name).is_file() for download in downloads)


def _download(download: Download, folder: Path, on_progress: OnProgress | None) -> Path:
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


class _Bar:
    """A progress bar for pooch that calls ``on_progress``."""

    def __init__(self, name: str, on_progress: OnProgress) -> None:
        self.total = 0
        self._name, self._on_progress, self._done = name, on_progress, 0

    def update(self, count: int) -> None:
        # pooch counts the last chunk as a full one.
        total = int(self.total or 0)
        self._done = min(self._done + count, total or self._done + count)
        self._on_progress(self._name, self._done, total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass


def _reason(error: BaseException) -> str:
    """Return why a download failed, in a few words."""
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
