import numpy as np
import pytest

from uda_study.simulation.anatomy import TISSUES, Grid, Variation, draw_subject
from uda_study.simulation.mr import (
    RELAXATION,
    SCANNERS,
    InversionRecoverySpinEcho,
    Relaxation,
    SpoiledGradientEcho,
    mr_image,
)

EVERY_SCANNER = pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS.keys())
GRID = Grid((64, 64, 8), (3.5, 3.5, 7.0), (0.0, -17.0, 14.0))


@EVERY_SCANNER
def test_white_matter_is_brighter_than_grey_and_fluid_is_dark_in_t1(scanner):
    signal = {tissue: abs(scanner.t1.sequence.signal(RELAXATION[tissue])) for tissue in TISSUES}
    assert signal["white"] > 1.2 * signal["grey"] > 1.2 * signal["csf"]
    assert signal["white"] > signal["lesion"]


@EVERY_SCANNER
def test_fluid_is_nulled_and_lesions_are_bright_in_flair(scanner):
    signal = {tissue: abs(scanner.flair.sequence.signal(RELAXATION[tissue])) for tissue in TISSUES}
    assert signal["csf"] < 0.45 * min(signal["grey"], signal["white"])
    assert signal["lesion"] > 1.3 * max(signal["grey"], signal["white"])


def test_inversion_recovery_crosses_zero_at_ln2_of_t1_for_long_repetition():
    tissue = Relaxation(1.0, 1000, 100, 50)
    sequence = InversionRecoverySpinEcho(tr=1e6, te=0, ti=1000 * float(np.log(2)))
    assert sequence.signal(tissue) == pytest.approx(0, abs=1e-9)


def test_spoiled_gradient_echo_is_largest_at_the_ernst_angle():
    tissue = Relaxation(1.0, 1000, 100, 50)
    ernst = float(np.rad2deg(np.arccos(np.exp(-10 / 1000))))
    at = {f: SpoiledGradientEcho(10, 1, f).signal(tissue) for f in (ernst - 1, ernst, ernst + 1)}
    assert max(at, key=at.__getitem__) == ernst


def test_scanners_have_the_published_times():
    assert SCANNERS["utrecht"].flair.sequence == InversionRecoverySpinEcho(11000, 125, 2800)
    assert SCANNERS["singapore"].flair.sequence == InversionRecoverySpinEcho(9000, 82, 2500)
    amsterdam = SCANNERS["amsterdam"].flair.sequence
    assert isinstance(amsterdam, InversionRecoverySpinEcho)
    assert (amsterdam.tr, amsterdam.te, amsterdam.ti) == (4800, 279, 1650)


def test_image_orders_tissues_by_its_contrast():
    anatomy = draw_subject(GRID, Variation(lesions=40), np.random.default_rng(5))
    pure = {t: anatomy.fractions[i] > 0.9 for i, t in enumerate(TISSUES)}
    t1 = mr_image(anatomy, SCANNERS["utrecht"], "t1", np.random.default_rng(0))
    flair = mr_image(anatomy, SCANNERS["utrecht"], "flair", np.random.default_rng(0))
    assert t1[pure["white"]].mean() > t1[pure["grey"]].mean() > t1[pure["csf"]].mean()
    assert flair[pure["lesion"]].mean() > flair[pure["grey"]].mean() > flair[pure["csf"]].mean()


def test_noise_in_air_follows_rayleigh():
    anatomy = draw_subject(GRID, Variation(), np.random.default_rng(5))
    image = mr_image(anatomy, SCANNERS["utrecht"], "t1", np.random.default_rng(0))
    air = image[anatomy.fractions[0] > 0.999]
    assert air.mean() / air.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
