"""Pictures to dreams: names, folders, interrupts, refusals."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import synthetic
from skimage import data

from stream_dream.dream import iterative_ascent, look_ascents
from stream_dream.dream.ascent import Ascent
from stream_dream.dream.iterative_ascent import Step
from stream_dream.errors import Interrupted, SettingsError, SinkError, SourceError
from stream_dream.frame import ImageF
from stream_dream.image import resize_float, to_float
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture
from stream_dream.networks.registry import find
from stream_dream.networks.spec import CLASSES
from stream_dream.networks.wanted import wanted_layers
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings, for_stills, merged
from stream_dream.settings.output import StillSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.still import dreamer as still_dreamer
from stream_dream.still.batch import StillsSummary, dream_stills
from stream_dream.still.dreamer import StillDreamer
from stream_dream.still.jobs import StillJob, list_jobs
from stream_dream.tone import without_large_areas

Make = Callable[..., DreamSettings]
Dream = Callable[..., StillsSummary]


@pytest.fixture
def dream(tiny: Make) -> Dream:
    """Return a function that dreams files with the tiny network."""

    def call(*paths: Path, still: dict[str, object] | None = None, **rest: object) -> StillsSummary:
        writing = validated(StillSettings, still or {})
        settings = tiny(octaves=2, warm_up=0, steps=2, dream_size=60, detail=1)
        return dream_stills(paths[:-1], paths[-1], settings, writing, **rest)  # type: ignore[arg-type]

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "photo.png")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_picture(dream: Dream, photo: Path, tmp_path: Path) -> None:
    summary = dream(photo, tmp_path / "dream.webp")
    assert summary.written == [tmp_path / "dream.webp"]
    assert read_picture(tmp_path / "dream.webp").image.shape == (40, 60, 3)
    assert names(tmp_path) == ["dream.webp", "photo.png"]


def test_alpha_and_profile_are_kept(dream: Dream, tmp_path: Path) -> None:
    from PIL import ImageCms

    alpha = np.zeros((40, 60), np.uint8)
    alpha[:, 30:] = 200
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = synthetic.photo((60, 40))
    write_picture(Picture(image, alpha, profile), tmp_path / "in.png")
    dream(tmp_path / "in.png", tmp_path / "out.png")
    found = read_picture(tmp_path / "out.png")
    np.testing.assert_array_equal(found.alpha, alpha)
    assert found.icc_profile == profile
    np.testing.assert_array_equal(found.image[:, :30], image[:, :30])
    assert (found.image[:, 30:] != image[:, 30:]).any()


@pytest.mark.slow
def test_progress_and_the_emerging_dream(dream: Dream, photo: Path, tmp_path: Path) -> None:
    still = {"progress_dir": tmp_path / "octaves", "out": tmp_path / "emerging.gif"}
    dream(photo, tmp_path / "dream.png", still=still)
    assert names(tmp_path / "octaves") == ["photo-octave-01.png", "photo-octave-02.png"]
    last = read_picture(tmp_path / "octaves" / "photo-octave-02.png").image.astype(int)
    assert np.abs(last - read_picture(tmp_path / "dream.png").image).max() <= 1
    with VideoSource(tmp_path / "emerging.gif") as film:
        frames = [frame.image.astype(int) for frame in film]
    assert len(frames) == 1 + 2 * 2 + 15
    # The end of an octave removes the change of large areas.
    grown = [without_large_areas((frame - frames[0]).astype(np.float32)) for frame in frames]
    changes = [np.abs(change).mean() for change in grown]
    assert changes[0] == 0 < changes[2] < changes[-1]


def test_hidden_files_and_folders_in_a_folder_are_no_pictures(dream: Dream, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    write_picture(Picture(synthetic.photo((60, 40))), photos / "a.jpg")
    (photos / "._a.jpg").write_bytes(b"Mac OS X")
    (photos / ".DS_Store").write_bytes(bytes(100))
    (photos / "album.jpg").mkdir()
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    summary = dream(photos, tmp_path / "dreams")
    assert names(tmp_path / "dreams") == ["a.jpg"]
    assert summary.left_out == []
    (failed,) = summary.failed
    assert "gone.png does not exist" in failed
    (photos / "gone.png").unlink()
    (photos / "a.jpg").unlink()
    with pytest.raises(SourceError, match="holds no pictures"):
        dream(photos, tmp_path / "dreams")


def test_a_folder_is_dreamed_into_a_folder(dream: Dream, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b.png", "a.JPG", "c.bmp"):
        write = write_picture if not name.endswith("bmp") else None
        picture = Picture(synthetic.photo((40 if name == "b.png" else 60, 40)))
        if write:
            write(picture, photos / name)
        else:
            from PIL import Image

            Image.fromarray(picture.image).save(photos / name)
    (photos / "notes.txt").write_text("not a picture")
    (photos / "bad.png").write_text("not a picture either")
    told: list[tuple[StillJob, int]] = []
    summary = dream(photos, tmp_path / "new" / "dreams", on_picture=lambda *job: told.append(job))
    assert names(tmp_path / "new" / "dreams") == ["a.JPG", "b.png", "c.png"]
    assert [count for _, count in told] == [4] * 4  # the bad one begins, too
    assert len(summary.failed) == 1
    assert "bad.png" in summary.failed[0]

    before = (tmp_path / "new" / "dreams" / "b.png").stat().st_mtime_ns
    summary = dream(photos, tmp_path / "new" / "dreams")
    assert len(summary.skipped) == 3
    assert not summary.written
    assert (tmp_path / "new" / "dreams" / "b.png").stat().st_mtime_ns == before
    assert len(dream(photos, tmp_path / "new" / "dreams", overwrite=True).written) == 3


def test_progress_reaches_the_total_though_pictures_fail(
    dream: Dream, photo: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    told: list[tuple[float, int | None]] = []
    dream(photo, bad, tmp_path / "out", on_progress=lambda p: told.append((p.done, p.total)))
    assert told[-2:] == [(1, 2), (2, 2)]


def test_targets_of_pictures_and_folders(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert list_jobs([photo], other) == [StillJob(photo, other / "photo.png")]
    assert list_jobs([photo], tmp_path / "x.jpg") == [StillJob(photo, tmp_path / "x.jpg")]
    with pytest.raises(SourceError, match="holds no pictures"):
        list_jobs([other], tmp_path / "new")
    with pytest.raises(SinkError, match="several pictures cannot become"):
        list_jobs([photo, photo], tmp_path / "x.jpg")
    with pytest.raises(SourceError, match="would both become"):
        list_jobs([photo, photo], tmp_path / "new")


def test_no_existing_file_is_overwritten(dream: Dream, photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    with pytest.raises(SinkError, match="is one of the inputs"):
        dream(photo, photo, overwrite=True)
    (tmp_path / "dream.png").write_text("precious")
    with pytest.raises(SinkError, match="exists already"):
        dream(photo, tmp_path / "dream.png")
    with pytest.raises(SinkError, match="are for one picture"):
        dream(tmp_path, tmp_path / "new", still={"out": tmp_path / "x.gif"})
    with pytest.raises(SinkError, match="exists already"):
        dream(photo, tmp_path / "new.png", still={"out": _existing(tmp_path / "x.gif")})
    assert (tmp_path / "dream.png").read_text() == "precious"
    assert photo.read_bytes() == before


def test_a_format_that_cannot_hold_the_picture_is_refused_before_the_dream(
    dream: Dream, tmp_path: Path
) -> None:
    wide = write_picture(Picture(np.zeros((40, 16384, 3), np.uint8)), tmp_path / "wide.png")
    steps: list[Step] = []
    with pytest.raises(SinkError, match="its format holds 16383 a side"):
        dream(wide, tmp_path / "dream.webp", on_step=steps.append)
    assert not steps
    assert names(tmp_path) == ["wide.png"]


def _existing(path: Path) -> Path:
    path.write_text("precious")
    return path


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.stops
def test_ctrl_c_keeps_the_dream_so_far(
    dream: Dream, photo: Path, tmp_path: Path, after: int
) -> None:
    steps = []

    def interrupt(step: object) -> None:
        steps.append(step)
        if len(steps) > after:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"as far as it came is in \S+dream.interrupted.png"):
        dream(photo, tmp_path / "dream.png", on_step=interrupt)
    kept = read_picture(tmp_path / "dream.interrupted.png").image
    assert kept.shape == (40, 60, 3)
    assert names(tmp_path) == ["dream.interrupted.png", "photo.png"]


@pytest.mark.slow
@pytest.mark.stops
def test_an_interrupted_picture_keeps_its_film(dream: Dream, photo: Path, tmp_path: Path) -> None:
    steps = []

    def interrupt(step: object) -> None:
        steps.append(step)
        if len(steps) > 2:
            raise KeyboardInterrupt

    film = {"out": tmp_path / "film.gif"}
    with pytest.raises(Interrupted, match=r"film of it is in \S+film.interrupted.gif"):
        dream(photo, tmp_path / "dream.png", still=film, on_step=interrupt)
    with VideoSource(tmp_path / "film.interrupted.gif") as kept:
        assert len(list(kept)) == 3


@pytest.mark.stops
def test_an_interrupt_before_the_first_step_does_not_keep_the_last_picture_s_dream(
    dream: Dream, photo: Path, tmp_path: Path
) -> None:
    second = write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "second.png")

    def interrupt(job: StillJob, count: int) -> None:
        if job.source == second:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"before the first step of \S+second.png.*; 1 are done"):
        dream(photo, second, tmp_path / "out", on_picture=interrupt)
    assert names(tmp_path / "out") == ["photo.png"]


@pytest.mark.slow
def test_a_film_shows_the_picture_with_its_detail(photo: Path, tmp_path: Path, tiny: Make) -> None:
    film = validated(StillSettings, {"out": tmp_path / "film.gif"})
    dream_stills([photo], tmp_path / "dream.png", tiny(step_size=0, dream_size=24), film)
    with VideoSource(tmp_path / "film.gif") as frames:
        images = [frame.image.astype(int) for frame in frames]
    assert max(np.abs(image - images[0]).max() for image in images) == 0


def test_weights_of_zero_are_refused(tiny: Make) -> None:
    with pytest.raises(SettingsError, match="all weights are 0"):
        Ascent(tiny(layer=["conv2=0", "conv1=0"]))


def changed(
    dream: DreamSettings, folder: Path, output: Path, still: dict[str, object], **values: object
) -> StillsSummary:
    """Dream pictures whose settings change from one to the next."""
    writing, automation = validated(StillSettings, still), validated(Automation, values)
    return dream_stills([folder], output, dream, writing, automation)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        write_picture(Picture(synthetic.photo((30, 20))), folder / f"{number}.png")
    return folder


def test_weights_may_begin_at_zero(photos: Path, tmp_path: Path, tiny: Make) -> None:
    dream = tiny(layer=["conv2"], octaves=1, warm_up=0, steps=1)
    changed(dream, photos, tmp_path / "out", {}, tracks={"layer.conv2": "0:(0), 2:(1)"})
    source, *dreams = (
        read_picture(path).image
        for path in (photos / "0.png", tmp_path / "out" / "0.png", tmp_path / "out" / "2.png")
    )
    assert [(image != source).any() for image in dreams] == [False, True]


def test_octaves_over_time_do_not_replace_inputs(photos: Path, tmp_path: Path, tiny: Make) -> None:
    dream = tiny(octaves=1, warm_up=0, steps=1)
    one = photos / "0.png"
    three = validated(Automation, {"tracks": {"octaves": "3"}})
    guide = tmp_path / "0-octave-03.png"
    write_picture(Picture(synthetic.photo((30, 20))), guide)
    still = validated(StillSettings, {"progress_dir": tmp_path})
    for read in ([guide], []):
        with pytest.raises(SinkError, match=r"0-octave-03\.png"):
            dream_stills([one], tmp_path / "x.png", dream, still, three, read=read)
    with pytest.raises(SinkError, match=r"0-octave-03\.png.* input"):
        dream_stills([one], tmp_path / "x.png", dream, still, three, read=[guide], overwrite=True)


@pytest.mark.parametrize("kind", ["beats", "guide"])
def test_files_that_settings_read_are_not_replaced(
    photos: Path, tmp_path: Path, tiny: Make, kind: str
) -> None:
    dream, target = tiny(), tmp_path / "out" / "0.png"
    target.parent.mkdir()
    write_picture(Picture(synthetic.photo((30, 20))), target)
    values: dict[str, object] = {"looks": [dream, tiny(guide=target)]}
    if kind == "beats":
        target.write_text("1\n2\n")
        values = {"beats": target, "tracks": {"strength": "beat"}}
    before = target.read_bytes()
    automation = validated(Automation, values)
    with pytest.raises(SinkError, match=r"0\.png.* input"):
        dream_stills([photos], target.parent, dream, StillSettings(), automation, overwrite=True)
    assert target.read_bytes() == before


@pytest.mark.slow
def test_few_networks_are_kept_those_used_last(
    photos: Path, tmp_path: Path, tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[int, weakref.ref[StillDreamer]]] = []

    def build(settings: DreamSettings, **rest: bool) -> StillDreamer:
        dreamer = StillDreamer(settings, **rest)
        built.append((settings.seed, weakref.ref(dreamer)))
        return dreamer

    monkeypatch.setattr(still_dreamer, "StillDreamer", build)
    monkeypatch.setattr(look_ascents, "LOOKS_KEPT", 2)
    for number in range(3, 5):
        shutil.copy(photos / "0.png", photos / f"{number}.png")
    looks = [tiny(seed=seed, octaves=1, warm_up=0, steps=1) for seed in range(3)]
    alive: list[int] = []

    def note(*_: object) -> None:
        gc.collect()
        alive.append(sum(dreamer() is not None for _, dreamer in built))

    automation = validated(Automation, {"looks": looks, "look_track": "0:a, 1:b, 2:a, 3:c, 4:a"})
    dream_stills(
        *([photos], tmp_path / "out", looks[0], StillSettings(), automation), on_picture=note
    )
    assert [seed for seed, _ in built] == [0, 1, 2]
    assert max(alive) == 2


@pytest.mark.slow
def test_clipped_values_are_said(photos: Path, tmp_path: Path, tiny: Make) -> None:
    dream = tiny(octaves=1, warm_up=0, steps=1)
    for value, said in (4, "values beyond the range of strength were clipped to it"), (1, None):
        tracks = {"strength": f"0:(0), 2:({value})"}
        summary = changed(dream, photos, tmp_path / str(value), {}, tracks=tracks)
        assert summary.clipped == said


@pytest.mark.stops
def test_an_interrupted_picture_keeps_its_detail(photo: Path, tmp_path: Path, tiny: Make) -> None:
    def interrupt(step: object) -> None:
        raise KeyboardInterrupt

    motionless = tiny(step_size=0, dream_size=24)
    with pytest.raises(Interrupted):
        dream_stills(
            [photo], tmp_path / "dream.png", motionless, StillSettings(), on_step=interrupt
        )
    kept = read_picture(tmp_path / "dream.interrupted.png").image
    np.testing.assert_array_equal(kept, read_picture(photo).image)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["all", "together", "restore"])
@pytest.mark.stops
def test_ctrl_c_between_two_steps_keeps_the_picture(
    photo: Path, tmp_path: Path, tiny: Make, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    interrupted = 0
    for count in range(1, 30):
        calls = iter(range(count))

        def resize(image: ImageF, shape: tuple[int, int], **rest: bool) -> ImageF:
            if next(calls, None) is None:  # noqa: B023 - used before the next one
                raise KeyboardInterrupt
            return resize_float(image, shape, **rest)

        for name in ("resize_float", "resize_by_corners"):
            monkeypatch.setattr(iterative_ascent, name, resize)
        target = tmp_path / f"{count}.png"
        try:
            dream_stills(
                [photo], target, tiny(step_size=0, schedule=schedule, octaves=3), StillSettings()
            )
            break
        except Interrupted:
            kept = tmp_path / f"{count}.interrupted.png"
            if kept.exists():
                interrupted += 1
                difference = read_picture(kept).image.astype(int) - read_picture(photo).image
                assert np.abs(difference).max() <= 1
    assert interrupted >= 2


def test_stills_are_dreamed_larger_than_films() -> None:
    look = load_preset("dogs").dream
    still, large = for_stills(look, {}), for_stills(look, {"dream_size": "3840"})
    assert (still.dream_size, large.dream_size) == (1536, 3840)
    # The smallest octave is about that of a film.
    film, *stills = (d.dream_size / d.octave_scale ** (d.octaves - 1) for d in (look, still, large))
    assert all(0.8 < side / film < 1.25 for side in stills)
    for size in "480", "3840":
        assert for_stills(look, {"octaves": 3, "dream_size": size}).octaves == 3
    small = look.model_copy(update={"schedule": "all", "dream_size": 480})
    assert for_stills(look, {"dream_size": "480", "octaves": None}) == small


@pytest.mark.parametrize("name", ["notebook", "keras_example", "google"])
def test_the_classics_keep_their_octaves_at_any_size(name: str) -> None:
    look = load_preset(name).dream
    assert for_stills(look, {}) == look
    assert for_stills(look, {"dream_size": "3840"}).octaves == look.octaves


@pytest.mark.parametrize("name", ["dogs", "wild"])
def test_stills_are_dreamed_one_octave_after_the_other(name: str) -> None:
    look = load_preset(name).dream
    assert look.schedule == "together"
    assert for_stills(look, {"schedule": None}).schedule == "all"
    for asked, obeyed in ("together", "together"), ("restore", "restore"), ("rotate", "all"):
        assert for_stills(look, {"schedule": asked}).schedule == obeyed


@pytest.mark.parametrize("extends", ["", 'extends = "wild"\n'])
@pytest.mark.parametrize(
    ("text", "size", "schedule"),
    [
        ("", 1536, "all"),
        ("dream_size = 480", 480, "all"),
        ("dream_size = 640", 640, "all"),
        ("dream_size = 3840", 3840, "all"),
        ('schedule = "together"', 1536, "together"),
        ('schedule = "rotate"', 1536, "all"),
        ('dream_size = 480\nschedule = "together"', 480, "together"),
    ],
)
def test_settings_of_a_preset_file_are_not_adapted_to_stills(
    tmp_path: Path, extends: str, text: str, size: int, schedule: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(extends + text)
    look = load_preset(path).dream
    still = for_stills(look, {})
    assert (still.dream_size, still.schedule) == (size, schedule)
    # A larger still has more octaves than a film, unless the preset gives the dream size.
    assert (still.octaves > look.octaves) == (size == 1536)
    # Unrelated options do not change that.
    assert for_stills(look, {"steps": 3}).dream_size == size
    path.write_text(extends + text + "\noctaves = 3")
    assert (for_stills(load_preset(path).dream, {}).octaves > 3) == (size == 1536)
    assert for_stills(look, {"octaves": 3}).octaves == 3


def test_a_guide_takes_a_presets_layers_whole(photo: Path) -> None:
    look = load_preset("blossoms").dream
    assert look.layer[0].channels
    (target,) = merged(look, {"guide": photo}).layer
    assert (target.name, target.channels) == ("block11", ())
    assert merged(look, {"guide": photo, "layer": ["block11:1"]}).layer[0].channels == (1,)


def test_a_guide_takes_over_what_is_not_suppressed(photo: Path) -> None:
    look = load_preset("dogs").dream
    suppressed = tuple(target for target in look.layer if target.weight < 0)
    assert suppressed
    guided = merged(look, {"guide": photo})
    energies, led = wanted_layers(guided, find(look.network))
    assert energies == suppressed
    assert {*energies, *led} == {*look.layer}


def test_a_guide_needs_whole_layers_and_a_picture(photo: Path, tiny: Make) -> None:
    with pytest.raises(SettingsError, match="leave out the channels"):
        Ascent(tiny(layer=["conv2:3"], guide=photo))
    with pytest.raises(SettingsError, match="needs a picture"):
        Ascent(tiny(guide_layer=["conv2"]))


@pytest.mark.slow
def test_a_guided_dream_comes_nearer_to_its_guide(tmp_path: Path) -> None:
    guide, other = data.chelsea()[:, 60:360], data.coffee()[:300, 100:400]
    write_picture(Picture(np.ascontiguousarray(guide)), tmp_path / "guide.png")
    write_picture(Picture(np.ascontiguousarray(other)), tmp_path / "in.png")
    look = merged(load_preset("dogs").dream, {"guide": tmp_path / "guide.png", "warm_up": 6})
    dream_stills([tmp_path / "in.png"], tmp_path / "out.png", look, StillSettings())
    judge = Ascent(look)
    assert judge.guide is not None
    judge.guide.show(np.ascontiguousarray(guide))
    source, dreamed = (read_picture(tmp_path / name).image for name in ("in.png", "out.png"))
    assert judge.loss(to_float(dreamed)) > 1.4 * judge.loss(to_float(source))
    plain = merged(load_preset("dogs").dream, {"warm_up": 6})
    dream_stills([tmp_path / "in.png"], tmp_path / "plain.png", plain, StillSettings())
    unguided = read_picture(tmp_path / "plain.png").image
    assert judge.loss(to_float(dreamed)) > judge.loss(to_float(unguided))


@pytest.mark.slow
def test_a_dream_of_a_class_is_classified_as_it(tmp_path: Path) -> None:
    write_picture(Picture(data.coffee()), tmp_path / "in.png")
    # Only one octave, at the classifier's scale: each octave dreams the class at its own.
    values = {"class": ["lorikeet"], "octaves": 1, "dream_size": 600}
    look = merged(load_preset("dogs").dream, values)
    assert look.layer == ()
    dream_stills([tmp_path / "in.png"], tmp_path / "out.png", look, StillSettings())

    def best(path: Path) -> int:
        scores = find("efficientnet_lite0").build([CLASSES])(
            to_float(read_picture(path).image)[None]
        )
        return int(np.asarray(scores).mean(axis=(0, 1, 2)).argmax())

    assert best(tmp_path / "in.png") != 90
    assert best(tmp_path / "out.png") == 90
