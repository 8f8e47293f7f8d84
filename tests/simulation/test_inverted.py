import numpy as np
import pytest

from uda_study.simulation.anatomy import TISSUES, Anatomy, Grid, Variation, draw_subject
from uda_study.simulation.inverted import inverted_image
from uda_study.simulation.mr import SCANNERS, Contrast, mr_image

GRID = Grid((64, 64, 8), (3.5, 3.5, 7.0), (0.0, -17.0, 14.0))
UTRECHT = SCANNERS["utrecht"]


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return draw_subject(GRID, Variation(lesions=40), np.random.default_rng(5))


def brightness(anatomy: Anatomy, image: np.ndarray) -> dict[str, float]:
    pure = {t: anatomy.fractions[i] > 0.9 for i, t in enumerate(TISSUES)}
    return {t: float(image[where].mean()) for t, where in pure.items() if where.any()}


@pytest.mark.parametrize("contrast", ["t1", "flair"])
def test_tissues_are_ordered_the_other_way_round_and_air_stays_dark(
    anatomy: Anatomy, contrast: Contrast
) -> None:
    usual = brightness(anatomy, mr_image(anatomy, UTRECHT, contrast, np.random.default_rng(0)))
    found = brightness(
        anatomy, inverted_image(anatomy, UTRECHT, contrast, np.random.default_rng(0))
    )
    order = ["csf", "grey", "white"] if contrast == "t1" else ["csf", "white", "grey", "lesion"]
    assert sorted(order, key=usual.__getitem__) == order
    assert sorted(order, key=found.__getitem__) == order[::-1]
    assert found["air"] < 0.2 * found["csf"]


def test_texture_is_in_the_head_alone(anatomy: Anatomy) -> None:
    plain = mr_image(anatomy, UTRECHT, "t1", np.random.default_rng(0))
    image = inverted_image(anatomy, UTRECHT, "t1", np.random.default_rng(0))
    air, white = (anatomy.fractions[TISSUES.index(t)] > 0.999 for t in ("air", "white"))
    assert image[air].std() == pytest.approx(plain[air].std(), rel=0.3)
    # Relative to the brightness, since each image has its own gain.
    spread = [i[white].std() / i[air].mean() for i in (image, plain)]
    assert spread[0] > 1.3 * spread[1]
