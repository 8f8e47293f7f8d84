"""What can be set about content and style: networks, losses, optimisers, content-only images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from uda_study.method import Hyper
from uda_study.nets.disentangle import AutoencoderDesign, OutputName
from uda_study.nets.layers import NormName
from uda_study.types import JSON

Adversarial = Literal["least_squares", "log"]
ContentDecode = Literal["identity_adain", "zero_style", "features"]


class AutoencoderHyper(Hyper):
    """How the autoencoders are built; ``output: linear`` lets images leave [-1, 1]."""

    width: PositiveInt = Field(64, description="channels of the first layer; the content has 4 x")
    blocks: PositiveInt = Field(4, description="residual blocks of content encoder and decoder")
    style_size: PositiveInt = 8
    norm: NormName = Field("instance", description="of the content encoder; batch is published")
    output: OutputName = "tanh"

    def design(self) -> AutoencoderDesign:
        """Return the same as a value that the networks know."""
        return AutoencoderDesign(self.width, self.blocks, self.style_size, self.norm, self.output)


class ImageCriticHyper(Hyper):
    """How the image critics are built."""

    width: PositiveInt = Field(64, description="channels of the first layer")
    stages: PositiveInt = Field(4, description="layers of stride 2 on each scale")
    scales: PositiveInt = 3


class LossHyper(Hyper):
    """The weights of eq. 1 and of the two halves of its latent term, and the adversarial loss."""

    reconstruction: PositiveFloat = Field(25.0, description="alpha")
    adversarial: PositiveFloat = Field(10.0, description="beta")
    latent: PositiveFloat = Field(0.1, description="gamma")
    style: NonNegativeFloat = Field(1.0, description="share of the styles in the latent term")
    content: NonNegativeFloat = Field(1.0, description="share of the contents in it")
    cycle: NonNegativeFloat = Field(0.0, description="there and back again, in the image")
    type: Adversarial = "least_squares"


class DisentanglingOptimHyper(Hyper):
    """Adam of autoencoders and critics."""

    lr: PositiveFloat = 1e-4
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 1e-4
    decay: float = Field(0.5, gt=0, le=1, description="factor of the learning rate")
    decay_every: PositiveInt = Field(100_000, description="steps between two decays")


class DisentanglingHyper(Hyper):
    """All that a method with content-only images has to say about them.

    ``style_source`` is where an image's new style comes from in training: encoded from an image of
    the other domain, or drawn from N(0, 1). ``content_decode`` is how a content becomes a
    content-only image: with AdaIN scales of 1 and shifts of 0, with a style of zeros, or not at
    all: the content's own maps, enlarged to the image's size. ``decoder`` paints the target's
    contents: the source's, or its own.
    """

    tiny: ClassVar[Mapping[str, JSON]] = {"critic.scales": 2, "segmenter.name": "dilated_fcn"}

    autoencoder: AutoencoderHyper = AutoencoderHyper()
    critic: ImageCriticHyper = ImageCriticHyper()
    loss: LossHyper = LossHyper()
    optim: DisentanglingOptimHyper = DisentanglingOptimHyper()
    style_source: Literal["encoded", "prior"] = "encoded"
    content_decode: ContentDecode = "identity_adain"
    decoder: Literal["source", "own"] = "source"
    batch_size: PositiveInt = 1
    steps: PositiveInt = Field(100_000, description="of the disentangling; not published")
