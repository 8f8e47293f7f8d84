"""Figures of the methods with a critic of features."""

from __future__ import annotations

from blocks import MIDDLE, PLAIN, at_the_test, flow, source_stage, supervised
from draw import Figure


def dam() -> Figure:
    """Draw the adapter against the critic."""
    figure = Figure("dam")
    source_stage(figure)
    panel = figure.panel("2. Adaptation: an adapter of the early layers against a critic", 196)
    above, below = MIDDLE, 166
    middle = (above + below) / 2
    seen = "features of several\nlevels, prediction"
    first = panel.net(190, above, "first groups\nof the segmenter", width=116, frozen=True)
    adapter = panel.net(190, below, "adapter", width=116)
    upper = panel.net(331, above, "upper groups", width=104, frozen=True)
    same = panel.net(331, below, "upper groups", width=104, frozen=True)
    of_source = panel.data(477, above, seen, "source", 128)
    of_target = panel.data(477, below, seen, "target", 128)
    critic = panel.net(602, middle, "critic", "critic", width=76)
    loss = panel.loss(708, middle, "Wasserstein", "adversarial")
    flow(panel, "source", panel.image(60, above, "source", "source", "source image"), first)
    flow(panel, "target", panel.image(60, below, "target", "target", "target image"), adapter)
    flow(panel, "source", first, upper, of_source)
    flow(panel, "target", adapter, same, of_target)
    panel.arrow(of_source.right(), (602, None), critic.top(), domain="source")
    panel.arrow(of_target.right(), (602, None), critic.bottom(), domain="target")
    panel.arrow(critic.right(), loss.left())
    panel.arrow(first.bottom(), adapter.top(), copy=True)
    panel.shared(upper.bottom(), same.top())
    at_the_test(figure, 3, "adapter", "upper groups")
    return figure


def feature_da() -> Figure:
    """Draw one segmenter for both domains against the critic."""
    figure = Figure("feature_da")
    source_stage(figure, PLAIN)
    panel = figure.panel("2. Adaptation: a copy of it learns to hide the domain from a critic", 268)
    below, middle = 238, 158
    adapted = supervised(panel, "source", MIDDLE, loss=PLAIN)
    image = panel.image(60, below, "target", "target", "target image")
    same = panel.net(205, below, "segmenter")
    text = "features of several levels"
    of_source = panel.data(372, middle - 20, text, "source", 168)
    of_target = panel.data(372, middle + 20, text, "target", 168)
    critic = panel.net(542, middle, "critic", "critic", width=84, height=60)
    loss = panel.loss(680, middle, "adversarial", "adversarial")
    flow(panel, "target", image, same)
    panel.arrow(adapted.bottom(30), (None, middle - 20), of_source.left(), domain="source")
    panel.arrow(same.top(30), (None, middle + 20), of_target.left(), domain="target")
    panel.arrow(of_source.right(), critic.left(-20), domain="source")
    panel.arrow(of_target.right(), critic.left(20), domain="target")
    panel.arrow(critic.right(), loss.left())
    panel.shared(adapted.bottom(-20), same.top(-20))
    at_the_test(figure, 3, "adapted\nsegmenter")
    return figure


FIGURES = (dam, feature_da)
