"""Probes for validators: bright boxes in dark images, and models that threshold."""

from collections.abc import Callable

import torch
from torch import Tensor

from uda_study import plugins
from uda_study.validator import Labelled, Probe, Seen, Validator

Predict = Callable[[Tensor], Tensor]


def boxes(spatial_dims: int, count: int = 3, side: int = 8, brightness: float = 4.0) -> Tensor:
    """Return dark images with one bright box each, at different places."""
    images = torch.zeros(count, 1, *[24] * spatial_dims)
    for n, image in enumerate(images):
        image[(0, *[slice(6 + n % 4, 6 + n % 4 + side)] * spatial_dims)] = brightness
    return images


def labelled(images: Tensor) -> Labelled:
    """Return the images with the box as class 1."""
    return Labelled(images, (images[:, 0] > 2).long())


def thresholding(scale: float) -> Predict:
    """Segment the bright box; a larger scale makes the same model more certain."""

    def predict(images: Tensor) -> Tensor:
        logit = scale * (images[:, 0] - 2)
        return torch.softmax(torch.stack([-logit, logit], dim=1), dim=1)

    return predict


def certain(labels: Callable[[Tensor], Tensor]) -> Predict:
    """Return a model that is certain of the classes 0 and 1 that ``labels`` finds."""

    def predict(images: Tensor) -> Tensor:
        foreground = labels(images).float()
        return torch.stack([1 - foreground, foreground], dim=1)

    return predict


def looking(predict: Predict, features: Predict | None = None) -> Callable[[Tensor], Seen]:
    return lambda images: Seen(predict(images), None if features is None else features(images))


def probe(predict: Predict, images: Tensor | None = None, **given: object) -> Probe:
    """Return a probe of images like the source's, unless told otherwise."""
    spatial_dims = 2 if images is None else images.dim() - 2
    values: dict[str, object] = {
        "images": boxes(spatial_dims) if images is None else images,
        "look": looking(predict),
        "look_source": looking(predict),
        "training": labelled(boxes(spatial_dims)),
        "validation": labelled(boxes(spatial_dims)),
        "seed": 0,
        "spatial_dims": spatial_dims,
    }
    return Probe(**(values | given))  # type: ignore[arg-type]


def score(name: str, predict: Predict, images: Tensor | None = None, **given: object) -> float:
    validator = plugins.load("validators", name, Validator)()
    return validator.score(probe(predict, images, **given))
