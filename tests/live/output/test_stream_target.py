"""Targets of streams: what is understood, and what is told without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.output.stream_target import StreamTarget
from stream_dream.settings.live import LiveSettings


@pytest.mark.parametrize(
    ("text", "shown", "muxer"),
    [
        ("rtsp://me:secret@10.0.0.2:8554/dream", "rtsp://10.0.0.2:8554", "rtsp"),
        ("RTMP://live.example/app/streamkey", "rtmp://live.example", "flv"),
        ("rtmps://live.example:443/app/streamkey?token=1", "rtmps://live.example:443", "flv"),
        ("srt://[::1]:9000?passphrase=secretsecret", "srt://::1:9000", "mpegts"),
        ("srt://:9000?mode=listener", "srt://:9000", "mpegts"),
        ("udp://239.0.0.1:1234", "udp://239.0.0.1:1234", "mpegts"),
        ("v4l2:/dev/null", "v4l2:/dev/null", "v4l2"),
    ],
)
def test_targets_are_named_without_secrets(text: str, shown: str, muxer: str) -> None:
    target = StreamTarget.parse(text)
    assert target.shown == shown
    assert target.muxer[1] == muxer
    assert "secret" not in target.shown
    assert "key" not in target.shown


def test_packets_of_udp_are_not_split() -> None:
    assert StreamTarget.parse("udp://h:1").url == "udp://h:1?pkt_size=1316"
    assert StreamTarget.parse("udp://h:1?ttl=4").url == "udp://h:1?ttl=4&pkt_size=1316"
    assert StreamTarget.parse("udp://h:1?pkt_size=188").url == "udp://h:1?pkt_size=188"


def test_a_folder_is_made(tmp_path: Path) -> None:
    target = StreamTarget.parse(f"hls:{tmp_path / 'new' / 'stream'}")
    assert (tmp_path / "new" / "stream").is_dir()
    assert target.url == str(tmp_path / "new" / "stream" / "index.m3u8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("film.mp4", "--out cannot be 'film.mp4': give rtsp://"),
        ("", "--out cannot be ''"),
        ("rtpm://host/app/secret", "--out cannot be 'rtpm:...': give rtsp://"),
        ("srt://:9000", "srt://:9000 is incomplete"),
        ("ftp://host/file", "give rtsp://HOST/PATH"),
        ("srt://host", "srt://host is incomplete: give srt://HOST:PORT"),
        ("udp://:99", "give udp://HOST:PORT"),
        ("rtsp:///path", "give rtsp://HOST/PATH"),
        ("rtmp://host:port/app", "--out rtmp:... is incomplete: give rtsp://"),
        ("rtsp://host:99999/", "--out rtsp:... is incomplete: give rtsp://"),
        ("v4l2:/dev/video99", "no such device: install v4l2loopback"),
        ("v4l2:" + "x" * 5000, "no such device"),
        ("hls:", "it is empty"),
        ("hls:/tmp/100%d", "it has %d in its name: give another folder"),
        ("hls:/dev/null/x", "Not a directory: give a folder"),
    ],
)
def test_what_is_no_target_is_one_line(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        StreamTarget.parse(text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_film_of_somebody_is_not_taken_for_a_stream(tmp_path: Path) -> None:
    playlist = tmp_path / "index.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:2.0,\nindex0.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SettingsError, match="holds a film: give another folder"):
        StreamTarget.parse(f"hls:{tmp_path}")
    playlist.write_text("#EXTM3U\n#EXTINF:2.0,\nindex0.ts\n")  # a stream that goes on
    StreamTarget.parse(f"hls:{tmp_path}")


def test_who_waits_for_callers_is_known() -> None:
    assert StreamTarget.parse("srt://0.0.0.0:9000?latency=200&mode=listener").listens
    assert not StreamTarget.parse("srt://host:9000").listens


def test_targets_may_hold_commas() -> None:
    given = "srt://h:1?streamid=#!::r=a,m=publish, hls:x,ndi:me"
    assert LiveSettings(out=given).out == (
        "srt://h:1?streamid=#!::r=a,m=publish",
        "hls:x",
        "ndi:me",
    )
    assert LiveSettings(out=["rtsp://a/b", "udp://c:1,d"]).out == ("rtsp://a/b", "udp://c:1,d")
