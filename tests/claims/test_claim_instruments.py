"""What claims measure of models by themselves."""

import numpy as np
import pytest
import torch

from uda_study.claims.instruments import nyquist_share
from uda_study.nets.generator import ResnetGenerator


def wave(cycles, axis):
    """Return a plane of 32 by 32 voxels, ``(1, X, Y, 1)``, with so many cycles along an axis."""
    phase = 2 * np.pi * cycles * np.arange(32) / 32
    line = np.cos(phase).reshape((32, 1) if axis == 0 else (1, 32))
    return (np.zeros((32, 32)) + line)[None, ..., None].astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1])
def test_only_half_a_cycle_per_voxel_counts(axis):
    assert nyquist_share(wave(16, axis)) == pytest.approx(1)
    assert nyquist_share(wave(8, axis)) < 1e-12
    assert nyquist_share(wave(3, axis) + 0.5 * wave(16, axis)) == pytest.approx(1 / 3)


def test_a_board_of_both_axes_counts_once():
    assert nyquist_share(wave(16, 0) * wave(16, 1)) == pytest.approx(1)


def test_brightness_has_no_part_and_a_flat_image_has_no_energy():
    assert nyquist_share(wave(16, 0) + 100) == pytest.approx(1, abs=1e-4)
    assert nyquist_share(np.full((1, 32, 32, 2), 7, np.float32)) == 0


def test_an_untrained_generator_that_resizes_leaves_ten_times_less():
    """Claim 6 on one smooth image, without a study."""
    smooth = wave(1, 0) + wave(2, 1)
    for seed in range(3):
        share = {}
        for upsampling in ("resize", "transposed"):
            torch.manual_seed(seed)
            net = ResnetGenerator(2, 1, width=12, blocks=2, upsampling=upsampling).eval()
            with torch.no_grad():
                made = net(torch.from_numpy(smooth[..., 0])[None])
            share[upsampling] = nyquist_share(made[0].numpy()[..., None])
        assert share["transposed"] > 10 * share["resize"]
