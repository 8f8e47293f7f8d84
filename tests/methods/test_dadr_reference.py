"""Training steps of dadr against the same steps written out from the paper's equations."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.method import Batch
from uda_study.methods.dadr import Dadr, DadrHyper
from uda_study.training.step import Stepper, begin_stage, derive_seed
from uda_study.types import Task

TASK = Task(2, 1, ("background", "liver"), (16, 16), (1.0, 1.0))
ALPHA, BETA, GAMMA, LR, BETAS, L2 = 25.0, 10.0, 0.1, 1e-4, (0.5, 0.999), 1e-4
"""The published weights, and the optimiser of the public code of MUNIT."""
STEPS = 2


def new_dadr(**changes) -> Dadr:
    torch.manual_seed(0)
    hyper = DadrHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2, "batch_size": 2},
            "autoencoder": {"width": 2, "blocks": 1, "style_size": 3},
            "critic": {"width": 2, "stages": 2, "scales": 2},
            "batch_size": 2,
            **changes,
        }
    )
    dadr = Dadr(hyper, TASK).double()
    begin_stage(dadr.stages()[1], 0)
    return dadr


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, 16, 16, generator=generator, dtype=torch.float64)

    label = torch.randint(0, 2, (2, 16, 16), generator=generator)
    return [Batch(images(), label, images() + 1) for _ in range(STEPS)]


def l1(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean()


class Domain:
    """Ec, Es, G and D of one domain; one pass at a time, AdaIN by hand."""

    def __init__(self, autoencoder: nn.Module, critic: nn.Module) -> None:
        self.networks, self.critic = autoencoder, critic
        self.adam, self.critic_adam = (
            torch.optim.Adam(network.parameters(), lr=LR, betas=BETAS, weight_decay=L2)
            for network in (autoencoder, critic)
        )

    def content(self, image: Tensor) -> Tensor:
        return self.networks.content.layers(image)

    def style(self, image: Tensor) -> Tensor:
        encoder = self.networks.style
        return encoder.linear(encoder.layers(image).mean((2, 3)))

    def generate(self, content: Tensor, style: Tensor) -> Tensor:
        decoder = self.networks.decoder
        affine = decoder.mlp(style).reshape(len(style), 2, 2, 8, 1, 1)
        (block,) = decoder.blocks
        hidden = block.first(content)
        for number, layer in ((0, block.second), (1, None)):
            mean = hidden.mean((2, 3), keepdim=True)
            spread = (hidden.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
            hidden = affine[:, number, 0] * (hidden - mean) / spread + affine[:, number, 1]
            if layer is not None:
                hidden = layer(hidden.clamp_min(0))
        return decoder.enlarge(content + hidden)

    def judge(self, image: Tensor) -> list[Tensor]:
        fine, coarse = self.critic.scales
        half = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
        return [fine(image), coarse(half)]


def real(scores: list[Tensor], kind: str) -> Tensor:
    if kind == "log":
        return sum(-torch.log(torch.sigmoid(score)).mean() for score in scores)
    return sum(((score - 1) ** 2).mean() for score in scores)


def fake(scores: list[Tensor], kind: str) -> Tensor:
    if kind == "log":
        return sum(-torch.log(1 - torch.sigmoid(score)).mean() for score in scores)
    return sum((score**2).mean() for score in scores)


def written_out(dadr: Dadr, kind: str, cycle: float, style_source: str) -> None:
    """Eq. 1 to 4 with new styles encoded from the other domain, or drawn from N(0, 1)."""
    networks = dadr.disentangling
    one, two = (
        Domain(networks.source, networks.source_critic),
        Domain(networks.target, networks.target_critic),
    )
    for number, batch in enumerate(batches()):
        x1, x2 = batch.source_image, batch.target_image
        c1, s1, c2, s2 = one.content(x1), one.style(x1), two.content(x2), two.style(x2)
        new1, new2 = s1, s2
        if style_source == "prior":
            torch.manual_seed(derive_seed(0, "disentangle", number, 0))
            new1, new2 = torch.randn_like(s1), torch.randn_like(s2)
        x12, x21 = two.generate(c1, new2), one.generate(c2, new1)
        for domain, seen, made in ((one, x1, x21), (two, x2, x12)):
            told = real(domain.judge(seen), kind) + fake(domain.judge(made.detach()), kind)
            domain.critic_adam.zero_grad()
            told.backward()
            domain.critic_adam.step()
        reconstruction = l1(one.generate(c1, s1), x1) + l1(two.generate(c2, s2), x2)
        adversarial = real(two.judge(x12), kind) + real(one.judge(x21), kind)
        latent = l1(two.content(x12), c1) + l1(two.style(x12), new2)
        latent = latent + l1(one.content(x21), c2) + l1(one.style(x21), new1)
        total = ALPHA * reconstruction + BETA * adversarial + GAMMA * latent
        back = l1(one.generate(two.content(x12), s1), x1)
        back = back + l1(two.generate(one.content(x21), s2), x2)
        for domain in (one, two):
            domain.adam.zero_grad()
        (total + cycle * back).backward()
        for domain in (one, two):
            domain.adam.step()


@pytest.mark.parametrize(
    ("kind", "cycle", "style_source"),
    [
        ("least_squares", 0.0, "encoded"),
        ("log", 0.0, "encoded"),
        ("least_squares", 10.0, "encoded"),
        ("least_squares", 10.0, "prior"),
    ],
)
def test_two_steps_equal_the_equations_with_the_published_weights(kind, cycle, style_source):
    changes = {"loss": {"type": kind, "cycle": cycle}, "style_source": style_source}
    method, reference = new_dadr(**changes), new_dadr(**changes)
    before = copy.deepcopy(method.state_dict())
    queue, stepper = batches(), Stepper(method.disentangling, "disentangle")
    for _ in range(STEPS):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "a step draws one batch"
    written_out(reference, kind, cycle, style_source)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {
        name.split(".")[0] for name, value in before.items() if not value.equal(expected[name])
    }
    assert moved == {"disentangling"}


def test_the_segmenter_learns_from_content_only_source_images():
    method, reference = new_dadr(), new_dadr()
    stage = method.stages()[-1]
    begin_stage(stage, 0)
    begin_stage(reference.stages()[-1], 0)
    queue, stepper = batches(), Stepper(stage.trainable, stage.name)
    for _ in range(STEPS):
        stepper.step(lambda: queue.pop(0))
    network = reference.content_segmenter
    weights = [p for p in network.parameters() if p.dim() > 1]
    others = [p for p in network.parameters() if p.dim() == 1]
    adam = torch.optim.Adam([{"params": weights, "weight_decay": 1e-4}, {"params": others}], 1e-3)
    one = reference.disentangling.source
    for batch in batches():
        features = one.content.layers(batch.source_image)
        (block,) = one.decoder.blocks
        hidden = block.second(F.instance_norm(block.first(features)).clamp_min(0))
        seen = one.decoder.enlarge(features + F.instance_norm(hidden)).detach()
        probability = network(seen).softmax(1)
        truth = torch.stack([batch.source_label == 0, batch.source_label == 1], 1).double()
        share = truth.mean((2, 3), keepdim=True)
        entropy = -((1 - share) * truth * probability.log()).sum(1).mean()
        overlap = 2 * (truth * probability).sum((2, 3))
        size = (truth**2).sum((2, 3)) + (probability**2).sum((2, 3)) + 1e-7
        adam.zero_grad()
        (entropy - (overlap / size).mean()).backward()
        adam.step()
    for mine, expected in zip(
        method.state_dict().items(), reference.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(mine[1], expected, rtol=0, atol=1e-8, msg=mine[0])
