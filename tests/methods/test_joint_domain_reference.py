"""Training steps of joint_domain's segmenter against the same steps written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from uda_study.method import Batch
from uda_study.methods.joint_domain import JointDomain, JointDomainHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "liver"), (16, 16), (1.0, 1.0))
STEPS = 2


def new_joint(content: str) -> JointDomain:
    torch.manual_seed(0)
    hyper = JointDomainHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "autoencoder": {"width": 2, "blocks": 1},
            "critic": {"width": 2, "stages": 1, "scales": 1},
            "content": content,
        }
    )
    return JointDomain(hyper, TASK).double()


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(STEPS, 2, 2, 1, 16, 16, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 2, (STEPS, 2, 2, 16, 16), generator=generator)
    return [Batch(i[0], k[0], i[1] + 1, k[1]) for i, k in zip(images, labels, strict=True)]


def content_only(joint: JointDomain, image: Tensor, side: str) -> Tensor:
    """The own domain's content, painted by the source's decoder with scales 1 and shifts 0."""
    if joint.disentangling is None:
        return image
    features = getattr(joint.disentangling, side).content.layers(image)
    decoder = joint.disentangling.source.decoder
    (block,) = decoder.blocks
    hidden = block.second(F.instance_norm(block.first(features)).clamp_min(0))
    return decoder.enlarge(features + F.instance_norm(hidden)).detach()


def written_out(joint: JointDomain) -> None:
    """The mean over all samples of weighted cross-entropy minus Dice, both domains alike."""
    network = joint.joint_segmenter
    weights = [p for p in network.parameters() if p.dim() > 1]
    others = [p for p in network.parameters() if p.dim() == 1]
    adam = torch.optim.Adam([{"params": weights, "weight_decay": 1e-4}, {"params": others}], 1e-3)
    for batch in batches():
        loss = torch.zeros(())
        for side in ("source", "target"):
            image, label = getattr(batch, f"{side}_image"), getattr(batch, f"{side}_label")
            probability = network(content_only(joint, image, side)).softmax(1)
            truth = torch.stack([label == 0, label == 1], 1).double()
            share = truth.mean((2, 3), keepdim=True)
            entropy = -((1 - share) * truth * probability.log()).sum(1).mean()
            overlap = 2 * (truth * probability).sum((2, 3))
            size = (truth**2).sum((2, 3)) + (probability**2).sum((2, 3)) + 1e-7
            loss = loss + (entropy - (overlap / size).mean()) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()


@pytest.mark.parametrize("content", ["raw", "disentangled"])
def test_two_steps_weigh_both_domains_alike(content):
    method, reference = new_joint(content), new_joint(content)
    stage, queue = method.stages()[-1], batches()
    stepper = Stepper(stage.trainable, stage.name)
    for _ in range(STEPS):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "a step draws one batch"
    written_out(reference)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-8, msg=name)
