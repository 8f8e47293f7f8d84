"""The Montgomery County set of chest X-rays, with outlines of both lungs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from uda_study.data.tree import TreeOptions, folders, matching, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

_FILE = re.compile(r"MCUCXR_(\d+)_[01]\.png", re.IGNORECASE)
# The longer side of every image, in pixels; formats without geometry have pixels of 1 mm.
_LONGER_SIDE = 4892


class Montgomery(Dataset[TreeOptions]):
    """Frontal chest X-rays of a tuberculosis screening; one domain, to be joined with another."""

    Options = TreeOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="both lungs in 138 chest X-rays; one domain, for 'joined'",
        licence="free for research; the publication is to be cited and the source acknowledged",
        citation="Jaeger et al., Two public chest X-ray datasets for computer-aided screening of "
        "pulmonary diseases, Quant Imaging Med Surg 4 (2014) 475-477",
        request="https://lhncbc.nlm.nih.gov/LHC-downloads/dataset.html",
        tree="MontgomerySet/CXR_png/MCUCXR_<id>_{0,1}.png\n"
        "MontgomerySet/ManualMask/leftMask/MCUCXR_<id>_{0,1}.png\n"
        "MontgomerySet/ManualMask/rightMask/MCUCXR_<id>_{0,1}.png",
    )
    paper = PaperProtocol(
        folds=1,
        val=0.1,
        test=0.2,
        source="Chen et al., MLMI 2018: 7:1:2 for training, validation and test, at random",
    )

    def cases(self) -> Sequence[Case]:
        """Return the images by number; raises `InputError` with all problems of the tree."""
        root = require_root(self.root, self.info)
        places = [root, *folders(root), *(deep for one in folders(root) for deep in folders(one))]
        found, problems = matching((place / "CXR_png" for place in places), _FILE)
        cases = []
        for (number,), image in sorted(found.items()):
            masks = image.parent.parent / "ManualMask"
            label = tuple(masks / side / image.name for side in ("leftMask", "rightMask"))
            name = f"montgomery-{number}"
            cases.append(Case(name, name, "montgomery", (image,), label))
        return sound_cases(root, self.info, cases, problems, self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return 512 x 512 pixels, rescaled from the darkest to the brightest, as the paper.

        The paper squeezes both sides to 512; here the shorter one is padded, so that lungs keep
        their shape.
        """
        pixel = _LONGER_SIDE / 512
        return Preprocessing(
            labels={"lungs": (1, 2)},
            spacing=(pixel, pixel, 1.0),
            size=(512, 512, 1),
            intensity="percentile",
            percentiles=(0, 100),
        )
