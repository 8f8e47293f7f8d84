"""Segmentation of content-only images: DADR of Yang et al. (MICCAI 2019)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.nets.disentangle import StyleEncoder
from uda_study.parts.disentangling import Disentangling
from uda_study.parts.disentangling_settings import DisentanglingHyper
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import Task


class DadrHyper(DisentanglingHyper):
    """The published weights; ``segmenter`` serves the source segmenter and the content's."""

    segmenter: SegmenterHyper = SegmenterHyper(name="unet")


class Dadr(Method[DadrHyper]):
    """Takes images apart into content and style; a segmenter knows the contents alone.

    It is trained on content-only images of the source and applied to those of the target.
    """

    Hyper = DadrHyper
    needs = Needs(target="images", translation="target->source")
    paper = (
        "Yang et al., Unsupervised domain adaptation via disentangled representations, MICCAI 2019"
    )

    def __init__(self, hyper: DadrHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.disentangling = Disentangling(hyper, task)
        seen = replace(task, in_channels=self.disentangling.content_channels)
        self.content_segmenter = hyper.segmenter.build(seen)
        self.styles = StyleSpace(hyper.autoencoder.style_size)

    def stages(self) -> Sequence[Stage]:
        """Return source segmenter (shared), disentangling, styles of the target, segmenter."""
        census = Stage(
            name="styles",
            trainable=StyleCensus(self.disentangling.target.style, self.styles),
            steps=_CENSUS,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self.styles.clear,
            whole_batch=True,
        )
        training = SegmenterTraining(
            self.content_segmenter, self.hyper.segmenter, examples=self._content_only_source
        )
        return [
            SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(),
            self.disentangling.stage(),
            *([census] if self.hyper.style_source == "encoded" else []),
            training.own_stage("content_segmenter", target="none"),
        ]

    def segment(self, image: Tensor) -> Tensor:
        """Segment content-only images of the target: ``(N, C, *S)`` to logits ``(N, K, *S)``."""
        seen = self.disentangling.content_only(image, "target")
        logits: Tensor = self.content_segmenter(seen)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment raw images with the segmenter of raw source images."""
        logits: Tensor = self.segmenter(image)
        return logits

    def translate(self, image: Tensor) -> Tensor:
        """Return content-only images of target images, same shape."""
        return self.disentangling.content_image(image, "target")

    def encode_style(self, image: Tensor) -> Tensor:
        """Return the styles ``(N, Z)`` of target images ``(N, C, *S)``."""
        style: Tensor = self.disentangling.target.style(image)
        return style

    def sample_styles(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw styles ``(count, Z)`` of the target's style space."""
        return self.styles.sample(count, generator)

    def render(self, image: Tensor, style: Tensor) -> Tensor:
        """Return source images ``(N, C, *S)`` in target styles ``(N, Z)``, same shape."""
        networks = self.disentangling
        rendered: Tensor = networks.target.decoder(networks.source.content(image), style)
        return rendered

    def _content_only_source(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.disentangling.eval()
        with torch.no_grad():
            seen = self.disentangling.content_only(batch.source_image, "source")
        return seen, batch.source_label


class StyleSpace(nn.Module):
    """Where the styles of a domain lie: N(0, 1), or after a census N(mean, deviation^2)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.count: Tensor
        self.total: Tensor
        self.squares: Tensor
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("total", torch.zeros(size))
        self.register_buffer("squares", torch.zeros(size))

    def clear(self) -> None:
        """Forget all styles."""
        for buffer in self.buffers():
            buffer.zero_()

    def add(self, style: Tensor) -> None:
        """Take styles ``(N, Z)`` into account."""
        wide = style.to(self.total.dtype)
        self.count += len(wide)
        self.total += wide.sum(0)
        self.squares += wide.square().sum(0)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw styles ``(count, Z)``; the generator lives on the CPU."""
        noise = torch.randn(count, len(self.total), generator=generator).to(self.total)
        if not bool(self.count):
            return noise
        mean = self.total / self.count
        variance = (self.squares / self.count - mean.square()).clamp_min(0)
        return mean + variance.sqrt() * noise


class StyleCensus(Trainable):
    """Looks at target images and notes their styles; trains nothing."""

    def __init__(self, encoder: StyleEncoder, space: StyleSpace) -> None:
        super().__init__()
        self.encoder = encoder
        self.space = space

    def players(self) -> Mapping[str, Player]:
        """Return no player."""
        return {}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Note the styles of a batch."""
        self.encoder.eval()
        with torch.no_grad():
            self.space.add(self.encoder(draw().target_image))
        yield from ()


_CENSUS = 64
"""How many batches of target images the style space is measured on."""
