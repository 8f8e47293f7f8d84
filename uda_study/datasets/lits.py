"""The Liver Tumor Segmentation benchmark of 2017: livers in CT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from uda_study.data.tree import TreeOptions, folders, matching, nifti, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

_FILE = re.compile(r"(volume|segmentation)-(\d+)\.nii(?:\.gz)?")
# Where the published archives put the two batches.
_IN_ARCHIVES = Path("media", "nas", "01_Datasets", "CT", "LITS")
_PARTNER = {"volume": "segmentation", "segmentation": "volume"}


class LitsOptions(TreeOptions):
    """What is segmented."""

    tumour: bool = Field(False, description="tumours as a second structure, not as liver")


class Lits(Dataset[LitsOptions]):
    """Livers with tumours in CT; one domain, to be joined with another dataset."""

    Options = LitsOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="livers and their tumours in 131 CT volumes; one domain, for 'joined'",
        licence="the terms shown with the download; non-commercial",
        citation="Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image "
        "Analysis 84 (2023) 102680",
        request="https://competitions.codalab.org/competitions/17094, by registration",
        tree="Training Batch 1/volume-{0..27}.nii\n"
        "Training Batch 1/segmentation-{0..27}.nii\n"
        "Training Batch 2/volume-{28..130}.nii\n"
        "Training Batch 2/segmentation-{28..130}.nii",
    )
    paper = PaperProtocol(
        folds=5,
        val=0,
        test=1 / 5,
        source="Yang et al., MICCAI 2019: 5 folds by subject; no validation",
    )

    def cases(self) -> Sequence[Case]:
        """Return the volumes by number; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        searched = [root, *folders(root), *folders(root / _IN_ARCHIVES)]
        found, problems = matching(searched, _FILE)
        cases = []
        for number in sorted({number for _, number in found}, key=lambda text: (int(text), text)):
            pair = {
                what: found.get((what, number)) or _expected(found[partner, number], what)
                for what, partner in _PARTNER.items()
            }
            subject = f"lits-{number}"
            cases.append(Case(subject, subject, "lits", (pair["volume"],), pair["segmentation"]))
        return sound_cases(root, self.info, cases, problems, self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return z-scores of a soft-tissue window, -160 to 240 HU, on the native grid.

        The paper states neither window, nor crop, nor resolution; the window is our choice.
        """
        liver = {"liver": (1,), "tumour": (2,)} if self.options.tumour else {"liver": (1, 2)}
        return Preprocessing(labels=liver, window=(-160, 240))


def _expected(partner: Path, what: str) -> Path:
    number = partner.name.split(".")[0].rpartition("-")[2]
    return nifti(partner.with_name(f"{what}-{number}"))
