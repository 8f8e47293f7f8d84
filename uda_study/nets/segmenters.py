"""All segmentation networks by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from uda_study.nets.dilated_fcn import DilatedFCN
from uda_study.nets.dilated_resnet import DilatedResNet
from uda_study.nets.unet import UNet

SegmenterName = Literal["dilated_resnet", "dilated_fcn", "unet"]

SEGMENTERS: Mapping[SegmenterName, type[DilatedResNet | DilatedFCN | UNet]] = {
    "dilated_resnet": DilatedResNet,
    "dilated_fcn": DilatedFCN,
    "unet": UNet,
}
"""Each is built as ``(dims, in_channels, num_classes, width=…, norm=…, dropout=…)``."""
