"""Figures of the methods that segment while they translate."""

from __future__ import annotations

from blocks import END, PLAIN, flow, source_stage, translated_at_the_test
from draw import Figure, Panel

TWO_ROWS = 154
ABOVE, BELOW = 62, 148


def s_cyclegan() -> Figure:
    """Draw translation and segmentation."""
    figure = Figure("s_cyclegan")
    source_stage(figure, PLAIN)
    _translation(figure, 2)
    translated_at_the_test(figure, 3)
    return figure


def semgan() -> Figure:
    """Draw the same on images that show some of their classes only."""
    figure = Figure("semgan")
    source_stage(figure, PLAIN)
    panel = figure.panel("2. Semantic dropout: some pairs keep only a part of what they share", 192)
    text = "keep some\nof the classes that\nboth images show"
    rows = 64, 160
    drop = panel.net(350, (rows[0] + rows[1]) / 2, text, "other", width=140, height=110)
    panel.note(
        655, drop.left()[1] - panel.area.top, "What is left out is 0,\nand counts in no loss."
    )
    shift = (rows[1] - rows[0]) / 2
    source = panel.image(205, rows[0], "source", "source", "source image")
    label = panel.image(90, rows[0], "classes", "source", "source label")
    target = panel.image(205, rows[1], "target", "target", "target image")
    target_label = panel.image(90, rows[1], "classes", "target", "target label")
    source_cut = panel.image(500, rows[0], "source_cut", "source", "source image")
    target_cut = panel.image(500, rows[1], "target_cut", "target", "target image")
    panel.arrow(label.top(), (None, 32), (350, None), drop.top(), domain="source")
    panel.arrow(target_label.bottom(), (None, 212), (350, None), drop.bottom(), domain="target")
    panel.arrow(source.right(), drop.left(-shift), domain="source")
    panel.arrow(target.right(), drop.left(shift), domain="target")
    panel.arrow(drop.right(-shift), source_cut.left(), domain="source")
    panel.arrow(drop.right(shift), target_cut.left(), domain="target")
    _translation(figure, 3, cut="_cut")
    translated_at_the_test(figure, 4)
    return figure


def seg_renorm() -> Figure:
    """Draw the segmentation that steers the translation."""
    figure = Figure("seg_renorm")
    source_stage(figure, PLAIN)
    _translation(figure, 2, steered=True)
    test = figure.panel("3. At the test", TWO_ROWS, test=True)
    _steered(test, "prediction", frozen=True)
    return figure


def seg_renorm_predicted() -> Figure:
    """Draw the same with predictions in place of target labels."""
    figure = Figure("seg_renorm_predicted")
    source_stage(figure, PLAIN)
    title = "2. Predictions stand in for target labels; they are renewed in every step"
    _steered(figure.panel(title, TWO_ROWS), "predicted label", frozen=False)
    _translation(figure, 3, steered=True, label="predicted label")
    test = figure.panel("4. At the test", TWO_ROWS, test=True)
    _steered(test, "prediction", frozen=True)
    return figure


def _translation(
    figure: Figure,
    number: int,
    *,
    steered: bool = False,
    cut: str = "",
    label: str = "target label",
) -> None:
    """Draw one direction of the cycle with its segmenters; the other is alike."""
    title = f"{number}. Translation and two segmenters, trained together; the other direction alike"
    panel = figure.panel(title, 306)
    rows = 82, 196, 284
    image = panel.image(60, rows[0], f"target{cut}", "target", "target image")
    generator = panel.net(205, rows[0], "generator\nto source", "generator")
    fake = panel.image(350, rows[0], f"source{cut}", "target", "in source's look")
    back = panel.net(495, rows[0], "generator\nto target", "generator")
    again = panel.image(630, rows[0], f"target{cut}", "target", "and back")
    cycle = panel.loss(END, rows[0], "cycle", "reconstruction")
    flow(panel, "target", image, generator, fake, back, again, cycle)
    panel.arrow(image.top(), (None, rows[0] - 37), (END, None), cycle.top(), domain="target")
    of_target = panel.net(70, rows[1], "joint segmenter\nof the target", width=116)
    of_source = panel.net(350, rows[1], "joint segmenter\nof the source", width=116)
    judge = panel.net(495, rows[1], "discriminator\nof the source", "critic")
    real = panel.image(630, rows[1], f"source{cut}", "source", "source image")
    panel.arrow(image.bottom(), of_target.top(-10), domain="target")
    panel.arrow(fake.bottom(), of_source.top(), domain="target")
    panel.arrow(fake.right(), (415, None), (None, 142), (495, None), judge.top(), domain="target")
    panel.arrow(real.left(), judge.right(), domain="source")
    first = panel.loss(70, rows[2], "cross-entropy", "supervised")
    truth = panel.image(210, rows[2], "classes", "target", label)
    second = panel.loss(350, rows[2], "cross-entropy", "supervised")
    panel.arrow(of_target.bottom(), first.top(), domain="target")
    panel.arrow(of_source.bottom(), second.top(), domain="target")
    panel.arrow(truth.left(), first.right(), domain="target")
    panel.arrow(truth.right(), second.left(), domain="target")
    panel.arrow(judge.bottom(), panel.loss(495, rows[2], "adversarial", "adversarial").top())
    if steered:
        extractor = panel.net(210, rows[1], "semantic\nextractor", "other", width=90)
        flow(panel, "target", of_target, extractor)
        panel.arrow(extractor.top(-5), generator.bottom(), domain="target")
        panel.note(250, 146, "scale and\nshift of\nall norms")
        panel.note(640, 146, "steered likewise, by the\njoint segmenter of the source")


def _steered(panel: Panel, last: str, frozen: bool) -> None:
    """Draw a target image's way to a class map, through the steered generator."""
    image = panel.image(60, ABOVE, "target", "target", "target image")
    generator = panel.net(330, ABOVE, "generator\nto source", "generator", frozen=frozen)
    flow(
        panel,
        "target",
        image,
        generator,
        panel.image(470, ABOVE, "source", "target", "in source's look"),
        panel.net(595, ABOVE, "segmenter", width=96, frozen=True),
        panel.image(710, ABOVE, "classes", "target", last),
    )
    joint = panel.net(175, BELOW, "joint segmenter\nof the target", width=116, frozen=frozen)
    extractor = panel.net(330, BELOW, "semantic\nextractor", "other", width=90, frozen=frozen)
    panel.arrow(image.right(), (103, None), (None, BELOW), joint.left(), domain="target")
    flow(panel, "target", joint, extractor)
    panel.arrow(extractor.top(), generator.bottom(), domain="target")


FIGURES = (s_cyclegan, semgan, seg_renorm, seg_renorm_predicted)
