import numpy as np

from uda_study.simulation.anatomy import TISSUES, Grid, Variation, draw_subject
from uda_study.simulation.ct import HOUNSFIELD, Window, ct_image

GRID = Grid((64, 64, 8), (3.5, 3.5, 7.0), (0.0, -17.0, 14.0))


def test_densities_order_the_tissues():
    order = ("air", "scalp", "csf", "lesion", "white", "grey", "skull")
    assert sorted(HOUNSFIELD, key=HOUNSFIELD.__getitem__) == list(order)


def test_image_shows_grey_above_white_above_fluid_in_the_window():
    anatomy = draw_subject(GRID, Variation(), np.random.default_rng(5))
    image = ct_image(anatomy, Window(40, 80), np.random.default_rng(0))
    mean = {t: image[anatomy.fractions[i] > 0.95].mean() for i, t in enumerate(TISSUES)}
    assert mean["skull"] > mean["grey"] > mean["white"] > mean["csf"] > mean["air"]
    assert (image.min(), image.max()) == (0, 80)


def test_wide_window_tells_bone_from_the_limits():
    anatomy = draw_subject(GRID, Variation(), np.random.default_rng(5))
    image = ct_image(anatomy, Window(300, 3000), np.random.default_rng(0))
    assert 700 < image[anatomy.fractions[TISSUES.index("skull")] > 0.99].mean() < 900
