"""The look of adabn at the target against the same statistics written out."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from uda_study.method import Batch
from uda_study.methods.adabn import AdaBN, AdaBNHyper
from uda_study.nets.layers import pixel_shuffle
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
BATCHES, SAMPLES, EPS = 3, 2, 1e-5


def new_method() -> AdaBN:
    torch.manual_seed(0)
    hyper = AdaBNHyper.model_validate(
        {"segmenter": {"name": "dilated_fcn", "width": 2, "norm": "batch"}}
    )
    method = AdaBN(hyper, TASK).double()
    with torch.no_grad():
        for parameter in method.segmenter.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    method.segmenter.train()
    method.segmenter(torch.randn(4, 1, 16, 16, dtype=torch.float64))
    method.stages()[1].begin()
    return method


def targets() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    size = (BATCHES, SAMPLES, 1, 16, 16)
    return list(3 + 2 * torch.randn(size, generator=generator, dtype=torch.float64))


def written_out(method: AdaBN, image: torch.Tensor) -> torch.Tensor:
    """Return the logits of an image with statistics of the target, from the source's weights."""
    features, seen = targets(), image
    *stages, head = method.segmenter.groups
    for (layer,) in stages:
        convolution, norm = layer[0], layer[1]
        features = [convolution(x) for x in features]
        seen = convolution(seen)
        means = [x.mean((0, 2, 3), keepdim=True) for x in features]
        within = [
            ((x - m) ** 2).mean((0, 2, 3), keepdim=True)
            for x, m in zip(features, means, strict=True)
        ]
        count = features[0].numel() / features[0].shape[1]
        mean = sum(means) / BATCHES
        variance = sum(v * count / (count - 1) for v in within) / BATCHES
        scale, shift = norm.weight[:, None, None], norm.bias[:, None, None]
        seen = scale * (seen - mean) / (variance + EPS).sqrt() + shift
        seen = F.leaky_relu(seen, 0.2)
        features = [
            F.leaky_relu(scale * (x - m) / (v + EPS).sqrt() + shift, 0.2)
            for x, m, v in zip(features, means, within, strict=True)
        ]
    return pixel_shuffle(head.classify(seen), 4)


def test_logits_are_those_of_the_source_weights_with_the_targets_statistics():
    method = new_method()
    stepper, queue = Stepper(method, "estimate"), targets()
    for _ in range(BATCHES):
        nothing = torch.full((SAMPLES, 1, 16, 16), torch.nan, dtype=torch.float64)
        stepper.step(lambda n=nothing: Batch(n, torch.empty(0), queue.pop(0)))
    assert not queue
    image = 3 + 2 * torch.randn(2, 1, 16, 16, dtype=torch.float64)
    method.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            method.segment(image), written_out(method, image), rtol=0, atol=1e-10
        )
        assert not torch.allclose(method.segment(image), method.segment_source(image), atol=0.1)
