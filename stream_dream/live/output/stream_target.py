"""Where a show is streamed to, and how ffmpeg is told."""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stream_dream.errors import SettingsError
from stream_dream.settings.values import parse_path

_FORMS = (
    "rtsp://HOST/PATH, srt://HOST:PORT, rtmp://HOST/APP/KEY, udp://HOST:PORT, v4l2:/dev/videoN, "
    "hls:FOLDER or ndi:NAME"
)
# Arguments of the muxer, by scheme.
_MUXERS: dict[str, Sequence[str]] = {
    "rtsp": ("-f", "rtsp", "-rtsp_transport", "tcp"),
    "rtsps": ("-f", "rtsp", "-rtsp_transport", "tcp"),
    "rtmp": ("-f", "flv", "-flvflags", "no_duration_filesize"),
    "rtmps": ("-f", "flv", "-flvflags", "no_duration_filesize"),
    "srt": ("-f", "mpegts"),
    "udp": ("-f", "mpegts"),
}
SCHEMES = (*_MUXERS, "v4l2", "hls")
"""What targets begin with."""

_NEED_PORT = {"srt", "udp"}
# A packet of MPEG transport stream that no network splits.
_PACKET = "pkt_size=1316"
_HLS = (
    *("-f", "hls", "-hls_time", "2", "-hls_list_size", "6"),
    *("-hls_flags", "delete_segments+omit_endlist+temp_file+append_list"),
)


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """Something that ffmpeg sends a stream to.

    Attributes:
        shown: Its name in messages, without passwords and stream keys.
        url: What ffmpeg writes to.
        muxer: ffmpeg's arguments for it.
        raw: True if it takes pictures as they are, not encoded.
        listens: True if it is the receivers that call.
        folder: Folder that must be there; None for none.
    """

    shown: str
    url: str
    muxer: Sequence[str]
    raw: bool = False
    listens: bool = False
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, *, more: Sequence[str] = ()) -> StreamTarget:
        """Parse a target of ``--out``; the folder of an HLS stream is created.

        Args:
            text: The target.
            more: Forms of other targets, for the message where it is none.

        Raises:
            SettingsError: It is none, or cannot be written.
        """
        scheme, _, rest = text.partition(":")
        scheme = scheme.lower()
        if scheme == "v4l2":
            return cls._of_device(rest)
        if scheme == "hls":
            return cls._of_folder(rest)
        if scheme not in _MUXERS:
            known = f"{scheme[:20]}:..." if rest else text[:80]  # the rest may hold a password
            forms = f"{_FORMS}{''.join(f' or {form}' for form in more)}"
            raise SettingsError(f"--out cannot be {known!r}: give {forms}")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SettingsError(f"--out {scheme}:... is incomplete: give {_FORMS}") from None
        shown = f"{scheme}://{host or ''}{'' if port is None else f':{port}'}"
        listens = scheme == "srt" and "listener" in parse_qs(parts.query).get("mode", ())
        if not (host or listens) or (scheme in _NEED_PORT and port is None):
            form = f"{scheme}://HOST:PORT" if scheme in _NEED_PORT else f"{scheme}://HOST/PATH"
            raise SettingsError(f"--out {shown} is incomplete: give {form}")
        if scheme == "udp" and "pkt_size" not in parts.query:
            text += ("&" if parts.query else "?") + _PACKET
        return cls(shown, text, _MUXERS[scheme], listens=listens)

    @classmethod
    def _of_device(cls, name: str) -> StreamTarget:
        path = Path(name)
        try:
            is_device = stat.S_ISCHR(path.stat().st_mode)
        except (OSError, ValueError):
            is_device = False
        if not is_device:
            reason = "no such device: install v4l2loopback and run sudo modprobe v4l2loopback"
            raise SettingsError(f"--out v4l2:{name[:80]}: {reason}")
        return cls(f"v4l2:{name}", str(path), ("-f", "v4l2"), raw=True)

    @classmethod
    def _of_folder(cls, name: str) -> StreamTarget:
        try:
            folder = parse_path(name)
            if re.search(r"%\d*d", str(folder.absolute())):  # for ffmpeg, a segment's number
                raise ValueError("it has %d in its name: give another folder")
            folder.mkdir(parents=True, exist_ok=True)
        except ValueError as error:
            raise SettingsError(f"--out hls:{name[:80]}: {error}") from None
        except OSError as error:
            raise SettingsError(f"--out hls:{name}: {error.strerror}: give a folder") from None
        playlist = (folder / "index.m3u8").absolute()
        if _is_film(playlist):  # ffmpeg would continue it, and delete its oldest segments
            raise SettingsError(f"--out hls:{name}: it holds a film: give another folder")
        return cls(f"hls:{name}", str(playlist), _HLS, folder=playlist.parent)


def _is_film(playlist: Path) -> bool:
    """Return whether a playlist has an end; those of streams, also of an earlier one, have none."""
    try:
        return b"#EXT-X-ENDLIST" in playlist.read_bytes()
    except OSError:
        return False
