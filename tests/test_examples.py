"""The examples of the manual run as they are."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
import synthetic
from numpy.typing import NDArray
from waiting import SECONDS

from stream_dream.cli.help import page
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.presets import preset_names

EXAMPLES = Path(__file__).parents[1] / "stream_dream" / "manual" / "examples"
NAMES = ("comfyui_node.py", "Makefile", "notebook.ipynb")


def test_the_manual_names_every_example() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == set(NAMES)
    for name in NAMES:
        assert f"](examples/{name})" in page("pipelines")


@pytest.fixture
def node() -> types.ModuleType:
    """Return the module of the node, loaded as ComfyUI does it."""
    spec = importlib.util.spec_from_file_location("comfyui_node", EXAMPLES / "comfyui_node.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(count: int = 2) -> NDArray[np.float32]:
    """Return a batch of images as ComfyUI has them."""
    return np.stack([synthetic.photo((48, 32))] * count).astype(np.float32) / 255


def test_the_node_follows_the_conventions(node: types.ModuleType) -> None:
    for name, kind in node.NODE_CLASS_MAPPINGS.items():
        assert name in node.NODE_DISPLAY_NAME_MAPPINGS
        inputs = kind.INPUT_TYPES()["required"]
        assert inputs["image"] == ("IMAGE",)
        assert inputs["look"][0] == preset_names()
        assert {"steps", "seed"} < set(inputs)
        assert kind.RETURN_TYPES == ("IMAGE",)
        assert callable(getattr(kind, kind.FUNCTION))
        assert kind.CATEGORY
    assert "torch" not in sys.modules


@pytest.mark.slow
@pytest.mark.parametrize("as_clip", [False, True])
def test_the_node_dreams_a_batch(node: types.ModuleType, as_clip: bool) -> None:
    maker, batch = node.StreamDream(), images()
    given: dict[str, Any] = {"steps": 1, "dream_size": 48, "as_clip": as_clip}
    (dreams,) = maker.dream(batch, "dogs", **given)
    assert (dreams.shape, dreams.dtype) == (batch.shape, np.float32)
    assert 0 <= dreams.min() < dreams.max() <= 1
    assert np.abs(dreams - batch).mean() > 0.01
    # Pictures are dreamed alike; a clip goes on with its dream.
    assert np.array_equal(dreams[0], dreams[1]) != as_clip
    (again,) = maker.dream(batch, "dogs", **given)
    assert np.array_equal(again, dreams)
    (other,) = maker.dream(batch, "dogs", seed=7, **given)
    assert not np.array_equal(other, dreams)


def test_the_node_takes_empty_batches(node: types.ModuleType) -> None:
    empty = images()[:0]
    (made,) = node.StreamDream().dream(empty, "dogs")
    assert made is empty


@pytest.mark.slow
@pytest.mark.parametrize("as_clip", [False, True])
def test_the_node_leaves_alpha_out_moves_the_bar_and_can_be_stopped(
    node: types.ModuleType, as_clip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):
        """What ComfyUI raises."""

    told: list[int] = []
    stopping = False

    class ProgressBar:
        """As much of ComfyUI's bar as the node uses."""

        def __init__(self, total: int) -> None:
            told.append(total)

        def update(self, done: int) -> None:
            told.append(done)

    def throw() -> None:
        if stopping:
            raise Stopped

    utils: Any = types.ModuleType("comfy.utils")
    management: Any = types.ModuleType("comfy.model_management")
    utils.ProgressBar, management.throw_exception_if_processing_interrupted = ProgressBar, throw
    for module in (utils, management):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    maker, batch = node.StreamDream(), images()
    given: dict[str, Any] = {"steps": 1, "dream_size": 48, "as_clip": as_clip}
    (dreams,) = maker.dream(np.concatenate([batch[:1], batch[:1, :, :, :1]], axis=3), **given)
    assert dreams.shape == (1, *batch.shape[1:])
    assert np.array_equal(dreams[0], maker.dream(batch[:1], **given)[0][0])
    maker.dream(batch, **given)
    assert told == [1, 1, 1, 1, 2, 1, 1]
    stopping = True
    with pytest.raises(Stopped):
        maker.dream(batch, **given)


@pytest.mark.slow
def test_the_node_gives_tensors_for_tensors(
    node: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tensor:
        """As much of torch's tensor as the node uses."""

        def __init__(self, values: NDArray[np.float32], device: str) -> None:
            self.values, self.device = values, device

        def cpu(self) -> NDArray[np.float32]:
            return self.values

        def to(self, device: str) -> Tensor:
            return Tensor(self.values, device)

    torch: Any = types.ModuleType("torch")
    torch.Tensor, torch.from_numpy = Tensor, lambda values: Tensor(values, "cpu")
    monkeypatch.setitem(sys.modules, "torch", torch)
    (made,) = node.StreamDream().dream(Tensor(images(1), "cuda:0"), steps=1, dream_size=48)
    assert isinstance(made, Tensor)
    assert (made.device, made.values.shape) == ("cuda:0", (1, 32, 48, 3))


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Copy the Makefile; return what runs it, and returns its exit code and what it says."""
    shutil.copy(EXAMPLES / "Makefile", tmp_path)

    def call(*words: str, dream: str = f"{sys.executable} -m stream_dream") -> tuple[int, str]:
        options = "OPTIONS=--dream-size 32 --warm-up 0 --step-size 0 --no-cuts"
        command = ["make", "-j2", f"DREAM={dream}", options, *words]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
        )
        return done.returncode, done.stdout + done.stderr

    return call


@needs_make
def test_make_takes_up_a_stopped_render_though_an_older_dream_is_there(
    make: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for name in ("shots", "dreams", "dreams/a.mp4.dream"):
        (tmp_path / name).mkdir()
    for name in ("a.mp4", "B.MOV"):
        (tmp_path / "shots" / name).touch()
    code, _ = make(dream="echo")
    assert code == 0
    options = {name: (tmp_path / "dreams" / f"{name}.jsonl").read_text() for name in ("a", "B")}
    assert "--overwrite --resume --json" in options["a"]
    assert "--overwrite --json" in options["B"]


@needs_make
def test_make_refuses_shots_of_one_name_and_one_folder(
    make: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "shots").mkdir()
    for name in ("a.mp4", "a.mov"):
        (tmp_path / "shots" / name).touch()
    code, said = make(dream="echo")
    assert (code, "several shots are called shots/a," in said) == (2, True)
    (tmp_path / "shots" / "a.mov").unlink()
    code, said = make("clean", "DREAMS=./shots")
    assert (code, "is the folder of the shots" in said) == (2, True)
    assert (tmp_path / "shots" / "a.mp4").exists()


@needs_make
def test_make_clean_removes_what_was_made_alone(
    make: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    for name in ("shots", "a.mp4.dream"):
        (tmp_path / name).mkdir()
    for name in ("shots/a.mp4", "a.mp4", "a.jsonl", "own.mp4"):
        (tmp_path / name).touch()
    assert make("clean", "DREAMS=.")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", "shots", "own.mp4"}
    (tmp_path / "dreams").mkdir()
    assert make("clean")[0] == 0
    assert not (tmp_path / "dreams").exists()


@pytest.mark.slow
@needs_make
def test_make_dreams_what_is_new(make: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    shots, dreams = tmp_path / "shots", tmp_path / "dreams"
    (shots / "b").mkdir(parents=True)
    clips.make(shots / "a.mp4", seconds=0.2)
    for number in range(3):
        cv2.imwrite(str(shots / "b" / f"{number:03}.png"), synthetic.photo((48, 32)))
    (shots / "b" / "frames.lst").touch()

    code, said = make()
    assert code == 0, said
    for name, count in (("a", 5), ("b", 3)):
        with VideoSource(dreams / f"{name}.mp4") as made:
            assert made.info.frame_count == count
        events = [json.loads(line) for line in (dreams / f"{name}.jsonl").open()]
        assert events[-1]["event"] == "finished"
    before = (dreams / "b.mp4").stat().st_mtime_ns
    assert "render" not in make()[1]
    newer = (dreams / "b.mp4").stat().st_mtime + 10
    os.utime(shots / "a.mp4", (newer, newer))
    _, said = make()
    assert "shots/a.mp4" in said
    assert (dreams / "b.mp4").stat().st_mtime_ns == before
    (shots / "c.mp4").write_text("no film")
    assert make()[0] != 0
    assert not (dreams / "c.mp4").exists()
    assert "c.jsonl" in make("failed")[1]


@pytest.mark.slow
def test_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in code)
    names: dict[str, Any] = {}
    for cell in code:
        exec("".join(cell["source"]), names)
        if "parameters" in cell["metadata"].get("tags", ()):
            names |= {"SECONDS": 0.3, "SIDE": 32, "LOOKS": ["dogs"]}
    with VideoSource("dream.mp4") as made:
        assert made.info.frame_count == names["summary"].frames > 3
    assert not Path("stopped.mp4").exists()
    assert Path("stopped.interrupted.mp4").is_file()
    assert "stopped.interrupted.mp4" in capsys.readouterr().out
