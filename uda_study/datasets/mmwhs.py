"""The Multi-Modality Whole Heart Segmentation challenge of 2017: hearts in CT and in MR."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from uda_study.data.tree import TreeOptions, folders, matching, nifti, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, DomainPreset, PaperProtocol, Preprocessing
from uda_study.types import Case

_FILE = re.compile(r"(ct|mr)_train_(\d+)_(image|label)\.nii(?:\.gz)?")

# 421 occurs in one label beside 420.
_PAPER = {
    "ascending_aorta": (820,),
    "left_atrium": (420, 421),
    "left_ventricle": (500,),
    "myocardium": (205,),
}
_OTHERS = {"right_atrium": (550,), "right_ventricle": (600,), "pulmonary_artery": (850,)}


class MmwhsOptions(TreeOptions):
    """Which structures are segmented."""

    structures: Literal["paper", "all"] = Field(
        "paper", description="the four of the paper, or all seven that are labelled"
    )


class Mmwhs(Dataset[MmwhsOptions]):
    """The heart's cavities, its left myocardium and the great vessels, in CT and MR."""

    Options = MmwhsOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="structures of the heart in 20 CT and 20 MR volumes of 40 patients",
        licence="the challenge's data agreement; research only",
        citation="Zhuang and Shen, Multi-scale patch and multi-modality atlases for whole heart "
        "segmentation of MRI, Medical Image Analysis 31 (2016) 77-87",
        request="https://zmiclab.github.io/zxh/0/mmwhs/, by registration",
        tree="ct_train/ct_train_{1001..1020}_image.nii.gz\n"
        "ct_train/ct_train_{1001..1020}_label.nii.gz\n"
        "mr_train/mr_train_{1001..1020}_image.nii.gz\n"
        "mr_train/mr_train_{1001..1020}_label.nii.gz",
    )
    paper = PaperProtocol(
        folds=1,
        val=0,
        test=4 / 20,
        source="Dou et al., IJCAI 2018: of each modality 16 subjects for training and 4 for the "
        "test, fixed; no validation",
    )

    def cases(self) -> Sequence[Case]:
        """Return the volumes by modality and number; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        found, problems = matching([root, *folders(root)], _FILE)
        cases = []
        for domain, number in sorted({(domain, number) for domain, number, _ in found}):
            somewhere = next(path for key, path in found.items() if key[:2] == (domain, number))
            image, label = (
                found.get((domain, number, what))
                or nifti(somewhere.with_name(f"{domain}_train_{number}_{what}"))
                for what in ("image", "label")
            )
            subject = f"{domain}-{number}"
            cases.append(Case(subject, subject, domain, (image,), label))
        return sound_cases(root, self.info, cases, problems, self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return coronal slices of 256 mm at 1 mm, as the paper; of MR the brightest 2 % are cut.

        The paper centres its crops at the heart, this one at the volume's middle. The cut is that
        of its authors' public code.
        """
        return Preprocessing(
            labels=_PAPER if self.options.structures == "paper" else _PAPER | _OTHERS,
            spacing=(1.0, 1.0, 1.0),
            size=(256, 256, 256),
            slices="coronal",
            domains={"mr": DomainPreset(cut=(0, 98))},
        )
