"""Learning content and style of two domains, as Yang et al. (MICCAI 2019) do after MUNIT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from uda_study.errors import InputError
from uda_study.method import Batch, Player, Stage, Trainable, Update
from uda_study.nets.disentangle import (
    SMALLEST_SIDE,
    STRIDE,
    Code,
    DomainAutoencoder,
)
from uda_study.nets.layers import draw_normal_
from uda_study.nets.multiscale_critic import MultiscaleCritic, smallest_side
from uda_study.parts.disentangling_settings import (
    Adversarial,
    DisentanglingHyper,
    ImageCriticHyper,
)
from uda_study.parts.optimisation import Schedule, stepped
from uda_study.parts.segmenter_training import Side
from uda_study.types import Task


class Disentangling(Trainable):
    """An autoencoder and a critic per domain, trained to swap styles and keep contents (eq. 1-4).

    Raises `InputError` for patches that the networks cannot halve often enough.
    """

    def __init__(self, hyper: DisentanglingHyper, task: Task) -> None:
        super().__init__()
        _check(task, hyper.critic)
        self.hyper = hyper
        dims, channels, design = task.spatial_dims, task.in_channels, hyper.autoencoder.design()
        critic = hyper.critic
        self.source = DomainAutoencoder(dims, channels, design)
        self.target = DomainAutoencoder(dims, channels, design)
        self.source_critic, self.target_critic = (
            MultiscaleCritic(
                dims, channels, width=critic.width, stages=critic.stages, scales=critic.scales
            )
            for _ in range(2)
        )
        sees_features = hyper.content_decode == "features"
        self.content_channels = design.content_channels if sees_features else channels

    def stage(self) -> Stage:
        """Return the training of both autoencoders and both critics."""
        return Stage(
            name="disentangle",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self._initialise,
        )

    def players(self) -> Mapping[str, Player]:
        """Return ``critics`` and ``autoencoders``, each with Adam and the stepped decay."""
        optim = self.hyper.optim
        players = {}
        for name, modules in (
            ("critics", (self.source_critic, self.target_critic)),
            ("autoencoders", (self.source, self.target)),
        ):
            optimiser = Adam(
                [parameter for module in modules for parameter in module.parameters()],
                lr=optim.lr,
                betas=(optim.beta1, optim.beta2),
                weight_decay=optim.weight_decay,
                fused=True,
            )
            factor = stepped(optim.decay, optim.decay_every)
            players[name] = Player(optimiser, Schedule(optimiser, factor))
        return players

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the critics, then one of the autoencoders on the same images.

        Whatever one network is asked for at the same time goes through it as one batch; that
        changes nothing, since decoders and critics normalise each sample by itself. Constant
        images, which have no content, count nothing.
        """
        self.train()
        batch, loss = draw(), self.hyper.loss
        source, target = batch.source_image, batch.target_image
        in_source, in_target = _informative(source), _informative(target)
        by_source, by_target = self.source.encode(source), self.target.encode(target)
        source_style, target_style = self._new_style(by_source), self._new_style(by_target)
        to_source, to_target = in_target, in_source
        if self.hyper.style_source == "encoded":
            to_source = to_target = in_source * in_target
        source_again, as_source = _decode(
            self.source, by_source, Code(by_target.content, source_style)
        )
        target_again, as_target = _decode(
            self.target, by_target, Code(by_source.content, target_style)
        )

        scored = {}
        for side, critic, real, known, fake, weight in (
            ("source", self.source_critic, source, in_source, as_source, to_source),
            ("target", self.target_critic, target, in_target, as_target, to_target),
        ):
            scores = [scale.chunk(2) for scale in critic(torch.cat([real, fake.detach()]))]
            of_real = realness([pair[0] for pair in scores], True, known, loss.type)
            of_fake = realness([pair[1] for pair in scores], False, weight, loss.type)
            scored[side] = of_real + of_fake
        yield Update("critics", scored)

        again_target, again_source = self.source.encode(as_source), self.target.encode(as_target)
        style = _distance(again_target.style, source_style, to_source)
        style = style + _distance(again_source.style, target_style, to_target)
        content = _distance(again_target.content, by_target.content, to_source)
        content = content + _distance(again_source.content, by_source.content, to_target)
        fooled = realness(self.source_critic(as_source), True, to_source, loss.type)
        fooled = fooled + realness(self.target_critic(as_target), True, to_target, loss.type)
        same = _distance(source_again, source, in_source)
        same = same + _distance(target_again, target, in_target)
        losses = {
            "reconstruction": loss.reconstruction * same,
            "adversarial": loss.adversarial * fooled,
            "latent_style": loss.latent * loss.style * style,
            "latent_content": loss.latent * loss.content * content,
        }
        if loss.cycle > 0:
            source_back = self.source.decoder(again_source.content, by_source.style)
            target_back = self.target.decoder(again_target.content, by_target.style)
            back = _distance(source_back, source, to_target)
            back = back + _distance(target_back, target, to_source)
            losses["cycle"] = loss.cycle * back
        yield Update("autoencoders", losses)

    def content_only(self, image: Tensor, side: Side) -> Tensor:
        """Map images ``(N, C, *S)`` of a domain to what the segmenter sees of them.

        That is an image of the same shape, or with ``content_decode: features`` the content's maps
        ``(N, 4·width, *S)``.
        """
        if self.hyper.content_decode == "features":
            content = self._autoencoder(side).content(image)
            return F.interpolate(content, image.shape[2:], mode="nearest")
        return self.content_image(image, side)

    def content_image(self, image: Tensor, side: Side) -> Tensor:
        """Map images ``(N, C, *S)`` of a domain to content-only images of the same shape."""
        content = self._autoencoder(side).content(image)
        decoder = self._autoencoder("source" if self.hyper.decoder == "source" else side).decoder
        if self.hyper.content_decode == "zero_style":
            style = content.new_zeros(len(content), self.hyper.autoencoder.style_size)
            painted: Tensor = decoder(content, style)
            return painted
        return decoder.content_only(content)

    def _autoencoder(self, side: Side) -> DomainAutoencoder:
        return self.source if side == "source" else self.target

    def _new_style(self, code: Code) -> Tensor:
        return code.style if self.hyper.style_source == "encoded" else torch.randn_like(code.style)

    def _initialise(self) -> None:
        """Draw the weights: Kaiming's for the autoencoders, N(0, 0.02) for the critics."""
        for module in self.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
        for critic in (self.source_critic, self.target_critic):
            draw_normal_(critic, _CRITIC_SPREAD)
        for autoencoder in (self.source, self.target):
            for module in autoencoder.modules():
                if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)


_CRITIC_SPREAD = 0.02


def realness(scores: Sequence[Tensor], real: bool, weight: Tensor, kind: Adversarial) -> Tensor:
    """Return how far scores are from those of real (or else of fake) images, summed over scales.

    Scores ``(N, 1, *S)`` per scale, weights of the samples ``(N,)``. ``least_squares``:
    (D - 1)^2 or D^2; ``log``: -log D or -log(1 - D), D the sigmoid of the score (eq. 3).

    >>> scores, both = [torch.tensor([[0.0], [1.0]])], torch.ones(2)
    >>> float(realness(scores, True, both, "least_squares"))
    0.5
    >>> round(float(realness(scores, True, torch.tensor([1.0, 0.0]), "log")), 4)
    0.3466
    """
    total = torch.zeros_like(weight)
    for score in scores:
        wide = score.float() if score.dtype == torch.bfloat16 else score
        if kind == "least_squares":
            penalty = (wide - (1.0 if real else 0.0)).square()
        else:
            penalty = F.softplus(-wide if real else wide)
        total = total + penalty.flatten(1).mean(1)
    return (weight * total).mean()


def _distance(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over samples of weight times mean absolute difference."""
    difference = (first.to(weight.dtype) - second.to(weight.dtype)).abs()
    return (weight * difference.flatten(1).mean(1)).mean()


def _informative(image: Tensor) -> Tensor:
    """Return 1 for each image ``(N, C, *S)`` in which some channel varies, else 0."""
    voxels = image.flatten(2)
    varies = (voxels.amax(2) > voxels.amin(2)).any(1)
    return varies.to(image.dtype)


def _decode(autoencoder: DomainAutoencoder, own: Code, other: Code) -> tuple[Tensor, Tensor]:
    """Paint two batches of codes in one pass."""
    contents = torch.cat([own.content, other.content])
    first, second = autoencoder.decoder(contents, torch.cat([own.style, other.style])).chunk(2)
    return first, second


def _check(task: Task, critic: ImageCriticHyper) -> None:
    shortest = max(SMALLEST_SIDE, smallest_side(critic.stages, critic.scales))
    sides = task.patch_size
    if min(sides) < shortest or any(side % STRIDE for side in sides):
        raise InputError.of(
            "data.patch_size",
            f"must be multiples of {STRIDE} and at least {shortest} voxels along every side",
            "x".join(map(str, sides)),
            "use other patches, or fewer critic.stages or critic.scales",
        )
