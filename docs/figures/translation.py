"""Figures of the methods that translate images."""

from __future__ import annotations

from blocks import END, MIDDLE, PLAIN, ROW, at_the_test, flow, source_stage, translated_at_the_test
from draw import Domain, Figure, Panel

HALF = 172
"""The height of one direction of a cycle."""


def histogram_matching() -> Figure:
    """Draw the bank of histograms and its use."""
    figure = Figure("histogram_matching")
    source_stage(figure)
    panel = figure.panel("2. A bank of source histograms: nothing is trained", ROW)
    image = panel.image(60, MIDDLE, "source", "source", "source images")
    bank = panel.data(230, MIDDLE, "histogram and quantiles\nof each", "source", 168)
    flow(panel, "source", image, bank)
    test = figure.panel("3. At the test", ROW, test=True)
    flow(
        test,
        "target",
        test.image(50, MIDDLE, "target", "target", "target image"),
        test.net(178, MIDDLE, "nearest in bank\nJensen-Shannon", "other", width=124),
        test.net(322, MIDDLE, "match\nits quantiles", "other", width=98),
        test.image(442, MIDDLE, "source", "target", "matched image"),
        test.net(577, MIDDLE, "segmenter", width=96, frozen=True),
        test.image(700, MIDDLE, "classes", "target", "prediction"),
    )
    return figure


def cyclegan() -> Figure:
    """Draw both directions, with the identity."""
    figure = Figure("cyclegan")
    source_stage(figure)
    cycle(figure, "2. Translation: two generators in a cycle, two discriminators", identity=True)
    translated_at_the_test(figure, 3)
    return figure


def cyuda() -> Figure:
    """Draw both directions."""
    figure = Figure("cyuda")
    source_stage(figure, PLAIN)
    cycle(figure, "2. Translation: two generators in a cycle, two discriminators")
    translated_at_the_test(figure, 3)
    return figure


def seuda() -> Figure:
    """Draw both directions and the discriminator of class maps."""
    figure = Figure("seuda")
    source_stage(figure, PLAIN)
    cycle(figure, "2. Translation: two generators in a cycle, two discriminators ...")
    panel = figure.panel("2. ... and a third, which tells predictions from source labels", 176)
    below = 152
    critic = panel.net(592, MIDDLE, "discriminator\nof class maps", "critic", width=108)
    loss = panel.loss(712, MIDDLE, "semantic", "adversarial")
    label = panel.image(592, below, "classes", "source", "source label")
    flow(
        panel,
        "target",
        panel.image(50, MIDDLE, "target", "target", "target image"),
        panel.net(162, MIDDLE, "generator\nto source", "generator", width=90),
        panel.image(278, MIDDLE, "source", "target", "in source's look"),
        panel.net(388, MIDDLE, "segmenter", width=88, frozen=True),
        panel.image(488, MIDDLE, "classes", "target", "prediction"),
        critic,
    )
    panel.arrow(label.top(), critic.bottom(), domain="source")
    panel.arrow(critic.right(), loss.left())
    panel.note(330, below, "The loss trains the generator through the frozen segmenter.")
    translated_at_the_test(figure, 3)
    return figure


def dacgan() -> Figure:
    """Draw the cycle and the segmenter of translated source images."""
    figure = Figure("dacgan")
    source_stage(figure)
    cycle(figure, "2. Translation: two generators in a cycle, two discriminators", identity=True)
    panel = figure.panel("3. A segmenter of the target, trained on translated source images", ROW)
    loss = panel.loss(592, MIDDLE, "cross-entropy + Dice", "supervised")
    label = panel.image(726, MIDDLE, "classes", "source", "source label")
    flow(
        panel,
        "source",
        panel.image(50, MIDDLE, "source", "source", "source image"),
        panel.net(158, MIDDLE, "generator\nto target", "generator", width=92, frozen=True),
        panel.image(268, MIDDLE, "target", "source", "in target's look"),
        panel.net(374, MIDDLE, "segmenter\nof the target", width=98),
        panel.image(472, MIDDLE, "classes", "source", "prediction"),
        loss,
    )
    panel.arrow(label.left(), loss.right(), domain="source")
    at_the_test(figure, 4, "segmenter\nof the target")
    return figure


def cycle(figure: Figure, title: str, identity: bool = False) -> None:
    """Draw both directions of a cycle."""
    panel = figure.panel(title, 2 * HALF + 30)
    _direction(panel, 78, "target", "source", identity)
    _direction(panel, 78 + HALF + 14, "source", "target", identity)


def _direction(panel: Panel, y: float, here: Domain, there: Domain, identity: bool) -> None:
    """Draw an image's way to the other domain and back, and its judge."""
    below = y + 90
    image = panel.image(60, y, here, here, f"{here} image")
    fake = panel.image(350, y, there, here, f"in {there}'s look")
    back = panel.image(630, y, here, here, "and back")
    cycle_loss = panel.loss(END, y, "cycle", "reconstruction")
    flow(
        panel,
        here,
        image,
        panel.net(205, y, f"generator\nto {there}", "generator"),
        fake,
        panel.net(495, y, f"generator\nto {here}", "generator"),
        back,
        cycle_loss,
    )
    panel.arrow(image.top(), (None, y - 37), (END, None), cycle_loss.top(), domain=here)
    judge = panel.net(350, below, f"discriminator\nof the {there}", "critic")
    real = panel.image(205, below, there, there, f"{there} image")
    loss = panel.loss(500, below, "adversarial", "adversarial")
    panel.arrow(fake.bottom(), judge.top(), domain=here)
    panel.arrow(real.right(), judge.left(), domain=there)
    panel.arrow(judge.right(), loss.left())
    if identity:
        panel.loss(675, below - 14, "identity", "reconstruction")
        panel.note(675, below + 16, f"generator to {there}\nkeeps {there} images")


FIGURES = (histogram_matching, cyclegan, cyuda, seuda, dacgan)
