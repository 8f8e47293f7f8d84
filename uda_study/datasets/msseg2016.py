"""The multiple sclerosis segmentation challenge of MICCAI 2016: lesions in MR of four centres."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from uda_study.data.tree import TreeOptions, folders, nifti, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

Channel = Literal["FLAIR", "T1", "T2", "DP", "GADO"]

_CENTRE = re.compile(r"center_(01|03|07|08)", re.IGNORECASE)
# The first two digits are the centre.
_OLDER_PATIENT = re.compile(r"(01|03|07|08)\d{3}[A-Z]{4}")
_OLDER = "Pre-processed"


class Msseg2016Options(TreeOptions):
    """Which patients, which images of them."""

    part: Literal["preprocessed", "raw"] = Field(
        "preprocessed",
        description="preprocessed: brain extracted, denoised and bias field corrected by the "
        "organisers; raw: as acquired, where only FLAIR lies on the labels' grid",
    )
    channels: tuple[Channel, ...] = Field(("FLAIR",), min_length=1, max_length=5)
    subjects: Literal["training", "test", "all"] = Field(
        "training", description="the 15 that the paper used, or those published later"
    )


class Msseg2016(Dataset[Msseg2016Options]):
    """Multiple sclerosis lesions, the consensus of seven experts, scanner by scanner."""

    Options = Msseg2016Options
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="multiple sclerosis lesions in FLAIR MR of three or four scanners",
        licence="the challenge's data agreement; research only",
        citation="Commowick et al., Objective evaluation of multiple sclerosis lesion segmentation "
        "using a data management and processing infrastructure, Scientific Reports 8 (2018) 13650",
        request="https://portal.fli-iam.irisa.fr/msseg-challenge/, by registration",
        tree="Training/Center_{01,07,08}/<patient>/Preprocessed_Data/"
        "{FLAIR,T1,T2,DP,GADO}_preprocessed.nii.gz\n"
        "Training/Center_{01,07,08}/<patient>/Raw_Data/{FLAIR,T1,T2,DP,GADO}.nii.gz\n"
        "Training/Center_{01,07,08}/<patient>/Masks/{Consensus,Brain_Mask}.nii.gz\n"
        "Testing/Center_{01,03,07,08}/<patient>/...\n"
        "older: Pre-processed/01016SACH/{FLAIR_preprocessed,Consensus,Mask_registered}.nii.gz",
    )
    paper = PaperProtocol(
        folds=5,
        val=0,
        test=1 / 5,
        source="Ren et al., IEEE TMI 2021: leave one subject out, of 5 per scanner; no validation",
    )

    def cases(self) -> Sequence[Case]:
        """Return the patients by centre and name; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        cases: list[Case] = []
        if self.options.subjects != "test":
            cases += [self._case(*at) for at in _patients(root / "Training")]
            cases += [self._case(*at) for at in _patients(root)]
            if self.options.part == "preprocessed":
                cases += [self._older(root, *at) for at in _older_patients(root)]
        if self.options.subjects != "training":
            cases += [self._case(*at, tested="test-") for at in _patients(root / "Testing")]
        cases.sort(key=lambda case: (case.domain, case.subject))
        return sound_cases(root, self.info, cases, leave_out=self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return z-scores inside the brain on the native grid.

        The paper registers all images to MNI space, which is not done here, and names no
        normalisation.
        """
        return Preprocessing(labels={"lesion": (1,)})

    def _case(self, patient: Path, domain: str, tested: str = "") -> Case:
        prepared = self.options.part == "preprocessed"
        images = patient / ("Preprocessed_Data" if prepared else "Raw_Data")
        brain = nifti(patient / "Masks" / "Brain_Mask")
        # Patients of several centres, and of both parts, have the same names.
        subject = f"{domain}-{tested}{patient.name}"
        return Case(
            id=subject,
            subject=subject,
            domain=domain,
            images=tuple(
                nifti(images / (f"{channel}_preprocessed" if prepared else channel))
                for channel in self.options.channels
            ),
            label=nifti(patient / "Masks" / "Consensus"),
            mask=brain if brain.is_file() else None,
        )

    def _older(self, root: Path, patient: Path, domain: str) -> Case:
        brain = nifti(patient / "Mask_registered")
        consensus = nifti(patient / "Consensus")
        if not consensus.is_file():
            # It may lie with the images as acquired, in a tree beside this one.
            beside = (nifti(tree / patient.name / "Consensus") for tree in folders(root))
            consensus = next((file for file in beside if file.is_file()), consensus)
        subject = f"{domain}-{patient.name}"
        return Case(
            id=subject,
            subject=subject,
            domain=domain,
            images=tuple(
                nifti(patient / f"{channel}_preprocessed") for channel in self.options.channels
            ),
            label=consensus,
            mask=brain if brain.is_file() else None,
        )


def _patients(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders of the patients and the centres they belong to."""
    for centre in folders(folder):
        if _CENTRE.fullmatch(centre.name):
            for patient in folders(centre):
                yield patient, centre.name.lower()


def _older_patients(root: Path) -> Iterator[tuple[Path, str]]:
    for patient in folders(root / _OLDER):
        name = _OLDER_PATIENT.fullmatch(patient.name)
        if name:
            yield patient, f"center_{name[1]}"
