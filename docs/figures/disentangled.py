"""Figures of the methods that take images apart into content and style."""

from __future__ import annotations

from blocks import MIDDLE, ROW, flow, source_stage
from draw import Domain, Figure, Panel
from geometry import Thing


def dadr() -> Figure:
    """Draw the disentangling, and the segmenter of content-only source images."""
    figure = Figure("dadr")
    source_stage(figure)
    _disentangling(figure)
    panel = figure.panel("3. A segmenter of content-only images, trained on the source", ROW)
    _supervised(panel, "source", MIDDLE, "content\nsegmenter")
    _at_the_test(figure, "content\nsegmenter")
    return figure


def joint_domain() -> Figure:
    """Draw the disentangling, and one segmenter of both domains' content-only images."""
    figure = Figure("joint_domain")
    source_stage(figure)
    _disentangling(figure)
    panel = figure.panel("3. One segmenter of content-only images, trained on both domains", 188)
    above = _supervised(panel, "source", MIDDLE, "joint\nsegmenter")
    below = _supervised(panel, "target", 158, "joint\nsegmenter")
    panel.shared(above.bottom(), below.top())
    _at_the_test(figure, "joint\nsegmenter")
    return figure


def _disentangling(figure: Figure) -> None:
    """Draw translation and reconstruction for one direction; the other is alike."""
    title = "2. Content and style: a source image in the target's style; the other direction alike"
    panel = figure.panel(title, 270)
    rows = MIDDLE, 157, 252
    source = panel.image(50, rows[0], "source", "source", "source image")
    target = panel.image(50, (rows[1] + rows[2]) / 2, "target", "target", "target image")
    content, style, own_content = (
        panel.net(175, y, text, "generator", width=124)
        for y, text in zip(
            rows,
            (
                "content encoder\nof the source",
                "style encoder\nof the target",
                "content encoder\nof the target",
            ),
            strict=True,
        )
    )
    codes = [
        panel.data(298, rows[0], "content", "source", 66),
        panel.data(298, rows[1], "style", "target", 66),
        panel.data(298, rows[2], "content", "target", 66),
    ]
    translate = panel.net(410, rows[0], "decoder\nof the target", "generator", width=96)
    rebuild = panel.net(410, rows[2], "decoder\nof the target", "generator", width=96)
    fake = panel.image(530, rows[0], "target", "source", "in target's look")
    again = panel.image(530, rows[2], "target", "target", "again")
    judge = panel.net(650, rows[0], "critic\nof the target", "critic", width=100)
    fooled = panel.loss(650, 116, "adversarial", "adversarial")
    encode = panel.net(530, rows[1], "both encoders\nof the target", "generator", width=112)
    latent = panel.loss(650, rows[1], "latent", "reconstruction")
    same = panel.loss(650, rows[2], "reconstruction", "reconstruction")
    flow(panel, "source", source, content, codes[0], translate, fake, judge)
    for network, shift in ((style, -10), (own_content, 10)):
        _, y = network.left()
        panel.arrow(
            target.right(shift),
            (96, None),
            (None, y - panel.area.top),
            network.left(),
            domain="target",
        )
    flow(panel, "target", style, codes[1])
    flow(panel, "target", own_content, codes[2], rebuild, again, same)
    panel.arrow(codes[1].right(), (390, None), translate.bottom(-20), domain="target")
    panel.arrow(codes[1].right(), (390, None), rebuild.top(-20), domain="target")
    panel.shared(translate.bottom(20), rebuild.top(20))
    panel.arrow(fake.bottom(), encode.top(), domain="source")
    panel.arrow(encode.right(), latent.left(), domain="source")
    panel.arrow(judge.bottom(), fooled.top())
    panel.note(665, rows[1] + 28, "finds the codes again")


def _content_only(
    panel: Panel, domain: Domain, y: float, segmenter: str, frozen: bool = False
) -> list[Thing]:
    """Draw an image's way to the content-only image, the segmenter and the prediction."""
    return [
        panel.image(46, y, domain, domain, f"{domain} image"),
        panel.net(147, y, f"content encoder\nof the {domain}", "generator", width=116, frozen=True),
        panel.net(275, y, "source decoder\nwithout style", "generator", width=112, frozen=True),
        panel.image(371, y, "content", domain, "content only"),
        panel.net(458, y, segmenter, width=84, frozen=frozen),
        panel.image(546, y, "classes", domain, "prediction"),
    ]


def _supervised(panel: Panel, domain: Domain, y: float, name: str) -> Thing:
    """Draw supervised training on content-only images; return the segmenter."""
    row = _content_only(panel, domain, y, name)
    loss = panel.loss(637, y, "CE + Dice", "supervised")
    label = panel.image(734, y, "classes", domain, f"{domain} label")
    flow(panel, domain, *row, loss)
    panel.arrow(label.left(), loss.right(), domain=domain)
    return row[4]


def _at_the_test(figure: Figure, segmenter: str) -> None:
    panel = figure.panel("4. At the test", ROW, test=True)
    flow(panel, "target", *_content_only(panel, "target", MIDDLE, segmenter, frozen=True))


FIGURES = (dadr, joint_domain)
