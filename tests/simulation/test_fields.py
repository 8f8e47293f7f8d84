import numpy as np
import pytest

from uda_study.simulation.fields import smooth_field


def axes(step: float, size: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    line = step * np.arange(size) - 78.0
    return line, line, line


def test_field_has_the_amplitude_that_was_asked_for():
    spread = [
        smooth_field(axes(4.0), 60, 2.5, np.random.default_rng(seed)).std() for seed in range(8)
    ]
    assert np.mean(spread) == pytest.approx(2.5, rel=0.15)


def test_field_depends_on_places_and_not_on_the_grid():
    coarse = smooth_field(axes(4.0), 60, 1.0, np.random.default_rng(0))
    fine = smooth_field(axes(2.0, 80), 60, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(fine[::2, ::2, ::2], coarse, atol=1e-4)


def test_field_holds_nothing_shorter_than_the_wavelength():
    line = 520.0 / 256 * np.arange(256)
    zero = np.zeros(1)
    profile = smooth_field((line, zero, zero), 65, 1.0, np.random.default_rng(0))[:, 0, 0]
    power = np.abs(np.fft.rfft(profile)) ** 2
    assert power[9:].sum() < 1e-6 * power.sum()
