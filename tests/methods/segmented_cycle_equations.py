"""One training step of Ren et al. (TMI 2021), eq. 2-5 and Adam, written out in plain torch.

Nothing of the package is used but the networks themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from uda_study.method import Batch

SIZE = 16
CLASSES = ("background", "organ", "lesion")
LAMBDA = (0.2, 0.8, 0.8)
CYCLE, REAL, FAKE, ADVERSARIAL = 7.0, 0.6, 0.3, 1.5
LR, LR_DISCRIMINATOR, BETA1, BETA2, EPS = 2e-3, 1e-3, 0.5, 0.999, 1e-8
STEPS = 2

HYPER = {
    "segmenter": {"name": "dilated_fcn", "width": 2},
    "generator": {"width": 2, "stages": 2, "init_gain": 0.2},
    "joint": {"name": "dilated_fcn", "width": 2, "init_gain": 0.2},
    "discriminator": {
        "design": "patchgan", "width": 2, "layers": 2, "norm": "none", "spectral": True,
    },
    "loss": {
        "cycle": CYCLE, "real": REAL, "fake": FAKE, "adversarial": ADVERSARIAL,
        "class_weights": [0.2, 0.8],
    },
    "optim": {"lr": LR, "discriminator_lr": LR_DISCRIMINATOR / LR, "constant": 0.0},
    "steps": STEPS,
}  # fmt: skip
EMBEDDING = {"features": 4, "width": 2, "pool": 2, "dropout": 0.0}


def batches() -> list[Batch]:
    """Return one batch per step, in double precision."""
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, SIZE, SIZE, generator=generator, dtype=torch.float64)

    def labels() -> Tensor:
        return torch.randint(0, len(CLASSES), (2, SIZE, SIZE), generator=generator)

    return [Batch(images(), labels(), images() + 1, labels()) for _ in range(STEPS)]


class WrittenOut:
    """The paper's X is the target here, its Y the source; see the paper's figure 2."""

    def __init__(self, cycle: nn.Module) -> None:
        self.G, self.S = cycle.to_source.generator, cycle.to_source.segmenter
        self.F, self.Q = cycle.to_target.generator, cycle.to_target.segmenter
        self.D_Y, self.D_X = cycle.of_source, cycle.of_target
        self.moments: dict[nn.Parameter, tuple[Tensor, Tensor]] = {}
        self.step = 0

    def train(self, x: Tensor, x_label: Tensor, y: Tensor, y_label: Tensor, kept=(1, 1)) -> None:
        """Take one step of all networks; ``kept`` masks the voxels of x and of y."""
        kept_x, kept_y = kept
        s_x, q_y = self.S(x), self.Q(y)
        g_x, f_y = self.G(x, s_x), self.F(y, q_y)
        q_gx, s_fy = self.Q(g_x), self.S(f_y)
        back_x, back_y = self.F(g_x, q_gx), self.G(f_y, s_fy)
        adversarial = 0.5 * ((self.D_Y(g_x * kept_x) - 1) ** 2).mean()
        adversarial += 0.5 * ((self.D_X(f_y * kept_y) - 1) ** 2).mean()
        cycle = (back_x * kept_x - x).abs().mean() + (back_y * kept_y - y).abs().mean()
        real = entropy(s_x, x_label, kept_x) + entropy(q_y, y_label, kept_y)
        fake = entropy(q_gx, x_label, kept_x) + entropy(s_fy, y_label, kept_y)
        loss = ADVERSARIAL * adversarial + CYCLE * cycle + REAL * real + FAKE * fake
        translators = [p for net in (self.G, self.S, self.F, self.Q) for p in net.parameters()]
        rate = 1 - self.step / STEPS
        self.step += 1
        self.adam(loss, translators, LR * rate)
        critic = least_squares(self.D_Y, y, g_x.detach() * kept_x)
        critic = critic + least_squares(self.D_X, x, f_y.detach() * kept_y)
        discriminators = [p for net in (self.D_Y, self.D_X) for p in net.parameters()]
        self.adam(critic, discriminators, LR_DISCRIMINATOR * rate)

    def adam(self, loss: Tensor, parameters: list[nn.Parameter], lr: float) -> None:
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                zero = torch.zeros_like(gradient)
                first, second = self.moments.get(parameter, (zero, zero))
                first = BETA1 * first + (1 - BETA1) * gradient
                second = BETA2 * second + (1 - BETA2) * gradient**2
                self.moments[parameter] = first, second
                mean = first / (1 - BETA1**self.step)
                deviation = (second / (1 - BETA2**self.step)).sqrt()
                parameter.sub_(lr * mean / (deviation + EPS))


def entropy(logits: Tensor, label: Tensor, kept: Tensor | int) -> Tensor:
    """Return the mean of - lambda_c log p_c over all voxels, 0 where one is not kept (eq. 3)."""
    probability = logits.exp() / logits.exp().sum(1, keepdim=True)
    total = torch.zeros_like(logits[:, :1])
    for c, weight in enumerate(LAMBDA):
        total = total - weight * (label == c).unsqueeze(1) * probability[:, c : c + 1].log()
    return (total * kept).mean()


def least_squares(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return eq. 2; one pass, because each pass iterates the spectral norm once."""
    scores = discriminator(torch.cat([real, fake]))
    return 0.5 * ((scores[: len(real)] - 1) ** 2).mean() + 0.5 * (scores[len(real) :] ** 2).mean()


def assert_same_weights(method: nn.Module, reference: nn.Module, before: dict) -> None:
    """Check that both ended alike, that all of the cycle moved and the source segmenter did not."""
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {n for n, v in method.named_parameters() if not torch.equal(v, before[n])}
    assert moved == {n for n, _ in method.named_parameters() if n.startswith("cycle.")}
