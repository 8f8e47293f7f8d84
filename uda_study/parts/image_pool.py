"""A history of translated images (Shrivastava et al., CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Shows a discriminator old fakes among new ones, so that it does not follow the last only.

    While it fills, images pass unchanged. Then each image stays with probability 1/2; otherwise it
    takes the place of a stored one, which is returned in its stead. ``size`` 0 stores nothing. The
    pool is part of the state, because a resumed training has to see the same history; several
    ranks have a pool each, of the images that they made themselves.
    """

    def __init__(self, size: int, channels: int, patch_size: tuple[int, ...]) -> None:
        super().__init__()
        self.images: Tensor
        self.stored: Tensor
        self.register_buffer("images", torch.zeros(size, channels, *patch_size))
        self.register_buffer("stored", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def swap(self, images: Tensor) -> Tensor:
        """Return images ``(N, C, *S)`` without gradient, some of them from the pool."""
        size = len(self.images)
        if size == 0:
            return images.detach()
        shown = []
        for image in images.detach():
            stored = int(self.stored)
            if stored < size:
                self.images[stored] = image
                self.stored += 1
                shown.append(image)
            elif float(torch.rand(())) < 0.5:
                shown.append(image)
            else:
                place = int(torch.randint(size, ()))
                shown.append(self.images[place].to(image.dtype, copy=True))
                self.images[place] = image
        return torch.stack(shown)

    def forget(self) -> None:
        """Erase the images."""
        self.images.zero_()
        self.stored.zero_()
