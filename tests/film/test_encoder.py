"""Renders with hardware encoders: one choice for a film, its chunks and their resumption."""

from __future__ import annotations

import json
from pathlib import Path

import encoders
import films
import pytest
from typer.testing import CliRunner

from stream_dream.cli.app import app
from stream_dream.errors import SettingsError
from stream_dream.film.film_encoder import with_chosen_encoder
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import render
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.output import OutputSettings

runner = CliRunner()


def settings(encoder: str) -> OutputSettings:
    return OutputSettings.model_validate({"encoder": encoder})


@pytest.mark.slow
def test_a_film_is_encoded_in_software_where_the_encoder_is_missing(
    source: Path, network: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.mp4"
    done = render(source, target, films.dream_of(network), settings("nvenc"))
    assert done.encoder == "software"
    assert done.warning is not None
    assert done.warning.startswith("nvenc does not work here")
    assert len(films.frames_of(target)) == sum(films.SHOTS)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["nvenc", "auto"])
def test_a_film_in_one_piece_is_encoded_by_the_hardware(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path, encoder: str
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    target = tmp_path / "a.mp4"
    done = render(source, target, films.dream_of(network), settings(encoder))
    assert (done.encoder, done.warning) == ("nvenc", None)
    assert len(program.encodes()) == 2  # the trial and the film
    with VideoSource(target) as made:
        assert len(list(made)) == sum(films.SHOTS)
        assert made.info.fps == 25


@pytest.mark.slow
def test_chunks_are_encoded_by_the_hardware_and_join(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path
) -> None:
    dream = films.dream_of(network)
    plain = films.in_one_piece(source, tmp_path / "plain.mp4", dream)
    program = encoders.stand_in(monkeypatch, tmp_path, "vaapi")
    target = tmp_path / "a.mp4"
    done = render_film(source, target, dream, settings("vaapi"), films.SHORT_CHUNKS)
    assert (done.encoder, done.warning) == ("vaapi", None)
    assert films.checksums(done) == plain
    assert len(program.encodes()) == 1 + len(done.plan.chunks)  # one trial for all
    whole, joined = films.frames_of(tmp_path / "plain.mp4"), films.frames_of(target)
    assert len(joined) == len(whole)
    for before, after in zip(whole, joined, strict=True):
        assert abs(before.astype(int) - after).mean() < 6


def begun(source: Path, network: Path, target: Path, encoder: str) -> Path:
    dream = films.dream_of(network)
    return films.interrupted_job(source, target, dream, 2, encoder=encoder)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["nvenc", "auto"])
def test_a_resumed_film_goes_on_with_its_encoder(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path, encoder: str
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    target = tmp_path / "a.mp4"
    folder = begun(source, network, target, encoder)
    assert json.loads((folder / "job.json").read_text())["encoder"] == "nvenc"
    done = films.resume(source, target, films.dream_of(network), encoder=encoder)
    assert done.encoder == "nvenc"
    # Two trials, and each chunk once but for one that the interrupt may have hit.
    assert len(program.encodes()) >= 2 + len(done.plan.chunks)
    assert len(films.frames_of(target)) == sum(films.SHOTS)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["nvenc", "auto"])
def test_a_film_whose_encoder_is_lost_is_not_resumed_with_another(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path, encoder: str
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    target = tmp_path / "a.mp4"
    folder = begun(source, network, target, encoder)
    program.lose()
    kept = sorted(folder.iterdir())
    with pytest.raises(SettingsError, match=r"was begun with the encoder nvenc, which does not "):
        films.resume(source, target, films.dream_of(network), encoder=encoder)
    assert sorted(folder.iterdir()) == kept
    assert not target.exists()


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["nvenc", "auto"])
def test_a_film_begun_in_software_stays_so(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path, encoder: str
) -> None:
    target = tmp_path / "a.mp4"
    begun(source, network, target, encoder)  # nothing works here
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    done = films.resume(source, target, films.dream_of(network), encoder=encoder)
    assert done.encoder == "software"
    assert program.encodes() == []


@pytest.mark.slow
def test_a_job_is_not_resumed_with_another_encoder_asked_for(
    source: Path, network: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.mp4"
    begun(source, network, target, "software")
    with pytest.raises(SettingsError, match="encoder was software, not nvenc"):
        films.resume(source, target, films.dream_of(network), encoder="nvenc")


def test_a_film_over_several_machines_is_encoded_in_software(
    monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    with VideoSource(source) as opened:
        info = opened.info
    chosen, note = with_chosen_encoder(Path("a.mp4"), info, settings("nvenc"), spread=True)
    assert chosen.encoder == "software"
    assert note is not None
    assert note.startswith("nvenc would have to be in every machine of the cluster")
    assert with_chosen_encoder(Path("a.mp4"), info, settings("auto"), spread=True)[1] is None
    assert program.encodes() == []


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("a.mp4", {"matte": True}, "nvenc does not encode mattes beside a film"),
        ("a.mov", {"dream_only": True}, "nvenc does not encode prores4444 of 10 bits with an "),
    ],
)
def test_layers_and_mattes_are_encoded_in_software(
    source: Path, name: str, values: dict[str, object], problem: str
) -> None:
    with VideoSource(source) as opened:
        info = opened.info
    wanted = OutputSettings.model_validate({"encoder": "nvenc"} | values)
    chosen, note = with_chosen_encoder(Path(name), info, wanted)
    assert chosen.encoder == "software"
    assert note is not None
    assert note.startswith(problem)


@pytest.mark.slow
def test_the_command_says_which_encoder_was_chosen(
    monkeypatch: pytest.MonkeyPatch, source: Path, network: Path, tmp_path: Path
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "qsv")
    common = ["--network", str(network), "--layer", "conv1", "--encoder", "auto"]
    film = runner.invoke(app, ["render", str(source), str(tmp_path / "a.mp4"), *common])
    assert film.exit_code == 0
    assert "encoded with qsv" in film.output
    common += ["--min-seconds", "0.3", "--max-seconds", "1", "--octaves", "1", "--steps", "1"]
    loop = runner.invoke(app, ["loop", str(source), str(tmp_path / "b.mp4"), *common])
    assert loop.exit_code == 0
    assert "encoded with qsv" in loop.output
    made = [word for run in program.encodes() for word in run if word.startswith("h264_")]
    assert made == ["h264_nvenc", "h264_qsv", "h264_qsv"] * 2  # two trials, then the file
