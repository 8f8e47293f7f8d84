"""What most figures show alike."""

from __future__ import annotations

from itertools import pairwise

from draw import Domain, Figure, Panel
from geometry import Thing

ROW = 92
"""The height of a panel with one row of images."""
MIDDLE = 62
"""Where that row's centre lies."""
END = 716
"""Where the last thing of a row stands."""
BOTH = "cross-entropy + Dice"
PLAIN = "cross-entropy"


def flow(panel: Panel, domain: Domain, *things: Thing) -> None:
    """Lead data from thing to thing, from left to right."""
    for here, there in pairwise(things):
        panel.arrow(here.right(), there.left(), domain=domain)


def source_stage(figure: Figure, loss: str = BOTH) -> None:
    """Draw how the source segmenter is trained."""
    panel = figure.panel("1. The source segmenter, trained once for all methods", ROW)
    supervised(panel, "source", MIDDLE, loss=loss)


def supervised(
    panel: Panel,
    domain: Domain,
    y: float,
    name: str = "segmenter",
    *,
    seen: str | None = None,
    loss: str = BOTH,
) -> Thing:
    """Draw supervised training on the images of a domain; return the segmenter."""
    image = panel.image(60, y, domain, domain, seen or f"{domain} image")
    segmenter = panel.net(205, y, name)
    prediction = panel.image(350, y, "classes", domain, "prediction")
    pill = panel.loss(535, y, loss, "supervised")
    label = panel.image(END, y, "classes", domain, f"{domain} label")
    flow(panel, domain, image, segmenter, prediction, pill)
    panel.arrow(label.left(), pill.right(), domain=domain)
    return segmenter


def at_the_test(figure: Figure, number: int, *networks: str) -> None:
    """Draw a target image, networks that stay as they are, and the prediction."""
    panel = figure.panel(f"{number}. At the test", ROW, test=True)
    row = [panel.image(60, MIDDLE, "target", "target", "target image")]
    for place, name in enumerate(networks):
        row.append(panel.net(205 + 160 * place, MIDDLE, name, frozen=True))
    x = 205 + 160 * len(networks) - 15
    row.append(panel.image(x, MIDDLE, "classes", "target", "prediction"))
    flow(panel, "target", *row)


def translated_at_the_test(
    figure: Figure, number: int, generator: str = "generator\nto source"
) -> None:
    """Draw a target image that is translated before the source segmenter sees it."""
    panel = figure.panel(f"{number}. At the test", ROW, test=True)
    flow(
        panel,
        "target",
        panel.image(60, MIDDLE, "target", "target", "target image"),
        panel.net(205, MIDDLE, generator, "generator", frozen=True),
        panel.image(350, MIDDLE, "source", "target", "in source's look"),
        panel.net(510, MIDDLE, "segmenter", frozen=True),
        panel.image(655, MIDDLE, "classes", "target", "prediction"),
    )
