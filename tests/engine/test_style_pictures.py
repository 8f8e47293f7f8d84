from dataclasses import replace

import pytest
import torch

from uda_study.engine import style_pictures
from uda_study.engine.style_pictures import write_styles
from uda_study.method import RendersStyles
from uda_study.report.styles import styles_figure


class Brightness:
    """An appearance is one number: how bright the image is."""

    def encode_style(self, image):
        return image.flatten(1).mean(1, keepdim=True)

    def sample_styles(self, count, generator):
        return torch.randn(count, 1, generator=generator)

    def render(self, image, style):
        return image + style.reshape(-1, *[1] * (image.dim() - 1))


@pytest.fixture
def drawn(monkeypatch):
    """What was handed to the figure."""
    calls = []

    def draw(rows, columns):
        calls.append((rows, columns))
        return styles_figure(rows, columns)

    monkeypatch.setattr(style_pictures, "styles_figure", draw)
    return calls


def test_anatomies_of_the_source_are_drawn_in_known_and_sampled_styles(study, tmp_path, drawn):
    (data,) = study.data.values()
    assert isinstance(Brightness(), RendersStyles)
    write_styles(tmp_path / "styles.png", Brightness(), data, torch.device("cpu"), seed=0)
    ((rows, columns),) = drawn
    known = len(data.split.roles["target_adapt"][:3])
    assert [c.reference is None for c in columns] == [False] * known + [True] * 3
    assert len(rows) == len(data.split.roles["source_val"][:3])
    for row in rows:
        shifts = [image - row.image for image in row.rendered]
        assert all(float(shift.std()) < 1e-5 for shift in shifts)
        known_styles = [float(column.reference.image.mean()) for column in columns[:known]]
        assert [float(s.mean()) for s in shifts[:known]] == pytest.approx(known_styles, abs=1e-4)
    assert (tmp_path / "styles.png").stat().st_size > 5_000


def test_the_middle_of_three_stacked_slices_is_shown(study, tmp_path, drawn):
    (data,) = study.data.values()
    stacked = replace(data, adjacent_slices=3, task=replace(data.task, in_channels=3))
    write_styles(tmp_path / "one.png", Brightness(), data, torch.device("cpu"), seed=0)
    write_styles(tmp_path / "three.png", Brightness(), stacked, torch.device("cpu"), seed=0)
    (single, _), (middle, _) = drawn
    for one, other in zip(single, middle, strict=True):
        assert (one.image == other.image).all()
