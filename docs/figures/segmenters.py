"""Figures of the bounds and of the methods that go on training a segmenter."""

from __future__ import annotations

from blocks import END, MIDDLE, ROW, at_the_test, flow, source_stage, supervised
from draw import Figure


def no_adaptation() -> Figure:
    """Draw the source segmenter as it is."""
    figure = Figure("no_adaptation")
    source_stage(figure)
    at_the_test(figure, 2, "segmenter")
    return figure


def target_supervised() -> Figure:
    """Draw the same training on the target."""
    figure = Figure("target_supervised")
    panel = figure.panel("1. A segmenter of the target, trained from scratch", ROW)
    supervised(panel, "target", MIDDLE)
    at_the_test(figure, 2, "segmenter")
    return figure


def supervised_transfer() -> Figure:
    """Draw the fine-tuning of the source segmenter."""
    figure = Figure("supervised_transfer")
    source_stage(figure)
    panel = figure.panel("2. Fine-tuning: a copy of it is trained further, on target labels", ROW)
    supervised(panel, "target", MIDDLE, "fine-tuned\nsegmenter")
    at_the_test(figure, 3, "fine-tuned\nsegmenter")
    return figure


def adabn() -> Figure:
    """Draw the statistics that are taken anew."""
    figure = Figure("adabn")
    source_stage(figure)
    panel = figure.panel("2. Statistics of the target: no weight changes, there is no loss", ROW)
    image = panel.image(60, MIDDLE, "target", "target", "target image")
    segmenter = panel.net(205, MIDDLE, "segmenter", frozen=True)
    seen = panel.data(400, MIDDLE, "mean and variance before\neach batch norm", "target", 176)
    kept = panel.data(630, MIDDLE, "their means over\nall batches", "target", 144)
    flow(panel, "target", image, segmenter, seen, kept)
    at_the_test(figure, 3, "segmenter, with\nthese statistics")
    return figure


def min_entropy() -> Figure:
    """Draw the two losses of one network."""
    figure = Figure("min_entropy")
    source_stage(figure)
    panel = figure.panel("2. Adaptation: a copy of it is trained further, with both losses", 194)
    above, below = MIDDLE, 164
    adapted = supervised(panel, "source", above, "segmenter")
    image = panel.image(60, below, "target", "target", "target image")
    same = panel.net(205, below, "segmenter")
    prediction = panel.image(350, below, "classes", "target", "prediction")
    loss = panel.loss(535, below, "entropy", "unsupervised")
    flow(panel, "target", image, same, prediction, loss)
    panel.shared(adapted.bottom(), same.top())
    at_the_test(figure, 3, "adapted\nsegmenter")
    return figure


def self_ensembling() -> Figure:
    """Draw student and teacher."""
    figure = Figure("self_ensembling")
    source_stage(figure)
    panel = figure.panel("2. Adaptation: student and teacher both start as copies of it", 302)
    rows = MIDDLE, 164, 266
    student = supervised(panel, "source", rows[0], "student", seen="source image,\nperturbed")
    image = panel.image(60, rows[1], "target", "target", "target image,\nperturbed")
    again = panel.image(60, rows[2], "target", "target", "target image,\nperturbed anew")
    same = panel.net(205, rows[1], "student")
    teacher = panel.net(205, rows[2], "teacher")
    prediction = panel.image(350, rows[1], "classes", "target", "prediction")
    taught = panel.image(350, rows[2], "classes", "target", "prediction")
    loss = panel.loss(535, (rows[1] + rows[2]) / 2, "consistency", "unsupervised")
    note = "The teacher's weights are a\nmoving average of the student's."
    panel.note(END - 50, rows[2], note)
    flow(panel, "target", image, same, prediction)
    flow(panel, "target", again, teacher, taught)
    panel.arrow(prediction.right(), (535, None), loss.top(), domain="target")
    panel.arrow(taught.right(), (535, None), loss.bottom(), domain="target")
    panel.shared(student.bottom(), same.top())
    panel.arrow(same.bottom(), teacher.top(), copy=True)
    at_the_test(figure, 3, "teacher")
    return figure


FIGURES = (
    no_adaptation,
    target_supervised,
    supervised_transfer,
    adabn,
    min_entropy,
    self_ensembling,
)
