"""Details of s_cyclegan that are easily lost."""

from __future__ import annotations

import torch

from uda_study.method import Batch
from uda_study.methods.s_cyclegan import SCyclegan
from uda_study.nets.renorm_generator import Renorm, SemanticExtractor
from uda_study.study.hyper import hyper_names, resolve_hyper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
SMALL = {
    "segmenter.name": "dilated_fcn", "segmenter.width": 2, "joint.name": "dilated_fcn",
    "joint.width": 2, "generator.width": 2, "generator.stages": 2, "discriminator.width": 2,
}  # fmt: skip


def new_method() -> SCyclegan:
    torch.manual_seed(0)
    return SCyclegan(resolve_hyper(SCyclegan, SMALL), TASK)


def test_normalisations_are_plain():
    method = new_method()
    assert not [m for m in method.modules() if isinstance(m, Renorm | SemanticExtractor)]
    assert not [name for name in hyper_names(SCyclegan) if name.startswith("embedding")]


def test_segmentation_enters_by_its_losses_alone():
    method = new_method().eval()
    image = torch.randn(2, 1, 16, 16)
    before = method.translate(image)
    with torch.no_grad():
        for parameter in method.cycle.to_source.segmenter.parameters():
            parameter.add_(1)
    assert torch.equal(method.translate(image), before)
    labels = torch.randint(0, 2, (2, 16, 16))
    loss = next(method.updates(lambda: Batch(image, labels, image + 1, labels))).losses["fake"]
    weights = list(method.cycle.to_source.generator.parameters())
    assert any(bool(g.abs().max() > 0) for g in torch.autograd.grad(loss, weights))
