"""Settings that the methods of Chen et al. (MLMI 2018) share."""

from __future__ import annotations

from pydantic import PositiveInt

from uda_study.method import Hyper
from uda_study.parts.cycle import (
    CycleHyper,
    DiscriminatorHyper,
    GanOptimHyper,
    GeneratorHyper,
)
from uda_study.parts.segmenter_training import SegmenterHyper

SEGMENTER = SegmenterHyper(
    name="aspp_resnet101",
    optimiser="sgd",
    lr=0.01,
    dice_weight=0.0,
    class_weights="none",
)
"""A dilated residual network with parallel dilations, trained with plain cross-entropy."""


class SourceCycleHyper(Hyper):
    """A cycle whose images of the source's appearance a frozen source segmenter segments.

    ``cycle.source_weight`` is alpha of eq. 4; ``steps`` are 200 epochs of the 173 target images.
    """

    segmenter: SegmenterHyper = SEGMENTER
    generator: GeneratorHyper = GeneratorHyper(width=64, upsampling="transposed")
    discriminator: DiscriminatorHyper = DiscriminatorHyper(design="patchgan")
    cycle: CycleHyper = CycleHyper(gan="least_squares", identity=0.0, source_weight=0.5)
    optim: GanOptimHyper = GanOptimHyper()
    batch_size: PositiveInt = 1
    steps: PositiveInt = 35_000
