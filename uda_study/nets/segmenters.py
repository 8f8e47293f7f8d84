"""All segmentation networks by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from uda_study.nets.aspp_resnet import AsppResNet18, AsppResNet50, AsppResNet101
from uda_study.nets.dilated_fcn import DilatedFCN
from uda_study.nets.dilated_resnet import DilatedResNet
from uda_study.nets.res_unet import ResUNet
from uda_study.nets.segmenter import Segmenter
from uda_study.nets.unet import UNet

SegmenterName = Literal[
    "dilated_resnet",
    "dilated_fcn",
    "unet",
    "res_unet",
    "aspp_resnet18",
    "aspp_resnet50",
    "aspp_resnet101",
]

SEGMENTERS: Mapping[SegmenterName, type[Segmenter]] = {
    "dilated_resnet": DilatedResNet,
    "dilated_fcn": DilatedFCN,
    "unet": UNet,
    "res_unet": ResUNet,
    "aspp_resnet18": AsppResNet18,
    "aspp_resnet50": AsppResNet50,
    "aspp_resnet101": AsppResNet101,
}
"""Each is built from a `SegmenterDesign`."""
