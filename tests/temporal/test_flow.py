"""Optical flow, warping and the visibility mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import synthetic

from stream_dream.image import to_float
from stream_dream.temporal.flow import FlowEstimator, Motion, chained, scaled, still
from stream_dream.temporal.visibility import in_frame, likeness, visibility
from stream_dream.temporal.warp import warp


def test_warp_follows_sign_and_order_of_the_flow() -> None:
    image = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0], flow[..., 1] = 3, -2
    warped = warp(image, flow)
    np.testing.assert_allclose(warped[5, 7], image[3, 10], atol=1e-6)


def test_zero_flow_is_identity() -> None:
    image = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    np.testing.assert_array_equal(warp(image, still((20, 30)).flow), image)


def test_estimated_flow_points_to_the_previous_frame() -> None:
    frames, known = synthetic.pan(2, step=(3, 2))
    estimate = FlowEstimator()
    assert estimate(frames[0].image) is None
    motion = estimate(frames[1].image)
    assert motion is not None
    inside = (slice(15, -15), slice(15, -15))
    assert np.abs(motion.flow[inside] - known[inside]).mean() < 0.3
    assert motion.visible[inside].mean() > 0.95


def test_what_left_and_entered_the_frame_is_not_visible() -> None:
    flow = np.zeros((40, 60, 2), np.float32)
    flow[..., 0] = 10
    seen = in_frame(flow)
    assert seen[:, :50].all()
    assert not seen[:, 50:].any()
    assert not visibility(flow, -flow)[:, 50:].any()


def test_disoccluded_ground_is_not_visible() -> None:
    estimate = FlowEstimator()
    estimate(synthetic.passing_square(100))
    motion = estimate(synthetic.passing_square(112))
    assert motion is not None
    on_the_square = (slice(90, 160), slice(132, 192))
    assert np.abs(motion.flow[on_the_square] - (-12, 0)).mean() < 0.3
    assert motion.visible[on_the_square].mean() > 0.9
    assert motion.visible[5:60, 10:310].mean() > 0.95
    assert motion.visible[90:160, 101:111].mean() < 0.4


@pytest.mark.parametrize("size", [(160, 120), (84, 60)])
def test_a_flow_does_not_depend_on_those_before(size: tuple[int, int]) -> None:
    images = [cv2.resize(frame.image, size) for frame in synthetic.pan(4)[0]]
    used, fresh = FlowEstimator(), FlowEstimator()
    for image in images:
        last = used(image)
    for image in images[-2:]:
        only = fresh(image)
    assert last is not None
    assert only is not None
    np.testing.assert_array_equal(last.flow, only.flow)
    np.testing.assert_array_equal(last.visible, only.visible)


def test_inconsistent_flows_are_not_visible() -> None:
    there = np.full((20, 20, 2), 2, np.float32)
    assert visibility(there, -there)[5:15, 5:15].all()
    assert not visibility(there, there)[5:15, 5:15].any()


def test_likeness_is_zero_on_another_surface() -> None:
    before = np.full((40, 60), 100, np.uint8)
    now = before.copy()
    now[:, 30:] = 160
    now[:, :30] += 4  # noise
    alike = likeness(now, before, np.zeros((40, 60, 2), np.float32))
    assert alike[:, :20].min() == 1
    assert alike[:, 40:].max() == 0


def test_tiny_pictures_have_a_motion() -> None:
    estimate = FlowEstimator()
    image = np.zeros((1, 1, 3), np.uint8)
    estimate(image)
    motion = estimate(image)
    assert motion is not None
    assert motion.flow.shape == (1, 1, 2)


def test_a_warp_goes_on_beyond_the_edge_as_in_a_mirror() -> None:
    rows = np.repeat(np.arange(40, dtype=np.float32)[:, None], 30, axis=1)
    up = np.zeros((40, 30, 2), np.float32)
    up[..., 1] = -6
    # No streaks: rows that come into view mirror those at the edge.
    np.testing.assert_allclose(warp(rows, up)[:, 15], [*range(5, -1, -1), *range(34)], atol=1e-4)


def test_chained_motions_lead_past_the_frame_between() -> None:
    frames, flow = synthetic.pan(3, step=(4, 2))
    one = Motion(flow, *(np.ones(flow.shape[:2], np.float32),) * 2)
    both = chained(one, one)
    inner = (slice(8, -8), slice(8, -16))
    assert np.allclose(both.flow[inner], 2 * flow[inner], atol=1e-4)
    there = warp(to_float(frames[0].image), both.flow)
    assert np.abs(there - to_float(frames[2].image))[inner].mean() < 0.01
    turned = Motion(flow[..., ::-1].copy(), one.visible, one.alike)
    assert not np.allclose(chained(one, turned).flow, both.flow)


def test_areas_hidden_by_either_of_two_chained_motions_are_hidden() -> None:
    flow = np.zeros((40, 60, 2), np.float32)
    flow[..., 0] = 10
    everywhere = np.ones((40, 60), np.float32)
    half = everywhere.copy()
    half[:, 30:] = 0
    later, earlier = Motion(flow, everywhere, everywhere), Motion(flow, half, half)
    both = chained(later, earlier)
    # The point at p was at p + 10 in the frame between, whose right half is hidden.
    assert both.visible[20, 19] == 1
    assert both.visible[20, 21] == 0
    assert both.alike[20, 21] == 0


def test_a_motion_of_another_size_means_the_same() -> None:
    flow = np.zeros((40, 60, 2), np.float32)
    flow[...] = (6, 4)
    ones = np.ones((40, 60), np.float32)
    larger = scaled(Motion(flow, ones, ones), (80, 180))
    assert larger.flow.shape == (80, 180, 2)
    assert np.allclose(larger.flow, (18, 8))
    assert larger.visible.shape == larger.alike.shape == (80, 180)
    assert scaled(larger, (80, 180)) is larger
