"""The Combined Healthy Abdominal Organ Segmentation challenge of 2019: CT and MR, as DICOM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from uda_study.data.tree import TreeOptions, folders, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, DomainPreset, PaperProtocol, Preprocessing
from uda_study.types import Case

Mode = Literal["t1_in", "t1_out", "t2_spir"]
Structure = Literal["liver", "right_kidney", "left_kidney", "spleen"]

_MR_VALUES: dict[Structure, tuple[int, ...]] = {
    "liver": tuple(range(55, 71)),
    "right_kidney": tuple(range(110, 136)),
    "left_kidney": tuple(range(175, 201)),
    "spleen": tuple(range(240, 256)),
}
_IN_CT = ("liver",)
_CT_LIVER = tuple(range(1, 256))
_SEQUENCES: dict[Mode, str] = {"t1_in": "T1DUAL", "t1_out": "T1DUAL", "t2_spir": "T2SPIR"}
_PHASES: dict[Mode, str] = {"t1_in": "InPhase", "t1_out": "OutPhase"}
_MR_PRESET = DomainPreset(cut=(0.5, 99.5))


class ChaosOptions(TreeOptions):
    """Which organs and which MR images are used.

    Of the organs CT has the liver alone: with any other, the CT volumes are left out.
    """

    structures: tuple[Structure, ...] = Field(("liver",), min_length=1)
    modes: tuple[Mode, ...] = Field(
        ("t1_in", "t1_out", "t2_spir"), min_length=1, description="the MR images of a subject"
    )
    mode_domains: bool = Field(
        False, description="make each mode a domain of its name, not all of them the domain mr"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, values in (("structures", self.structures), ("modes", self.modes)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must be named once each")
        return self


class Chaos(Dataset[ChaosOptions]):
    """Abdominal organs of 20 people in CT and of 20 others in three kinds of MR images.

    The modes of a subject are cases of their own, and a subject is never on both sides. A label
    PNG belongs to the DICOM file at the same place by name.
    """

    Options = ChaosOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="livers of 20 people in CT, livers, kidneys and spleens of 20 in T1 and T2 MR",
        licence="CC BY-NC-SA 4.0",
        citation="Kavur et al., CHAOS Challenge - combined (CT-MR) healthy abdominal organ "
        "segmentation, Medical Image Analysis 69 (2021) 101950",
        request="https://doi.org/10.5281/zenodo.3431873",
        tree="Train_Sets/CT/<id>/DICOM_anon/*.dcm\n"
        "Train_Sets/CT/<id>/Ground/*.png\n"
        "Train_Sets/MR/<id>/T1DUAL/DICOM_anon/{InPhase,OutPhase}/*.dcm\n"
        "Train_Sets/MR/<id>/T1DUAL/Ground/*.png\n"
        "Train_Sets/MR/<id>/T2SPIR/DICOM_anon/*.dcm\n"
        "Train_Sets/MR/<id>/T2SPIR/Ground/*.png",
    )
    paper = PaperProtocol(
        folds=5,
        val=0,
        test=1 / 5,
        source="Yang et al., MICCAI 2019: 5 folds by subject, with MR of their own for which "
        "this is the public stand-in; no validation",
    )

    def cases(self) -> Sequence[Case]:
        """Return the volumes, CT first; raises `InputError` with all problems of the tree."""
        root = require_root(self.root, self.info)
        cases: list[Case] = []
        for base in (root, root / "Train_Sets", root / "CHAOS_Train_Sets" / "Train_Sets"):
            if set(self.options.structures) <= set(_IN_CT):
                cases += [_ct(folder) for folder in _subjects(base / "CT")]
            cases += [
                self._mr(folder, mode)
                for folder in _subjects(base / "MR")
                for mode in self.options.modes
            ]
        return sound_cases(root, self.info, cases, leave_out=self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return the mean grid of the MR volumes for all, a soft-tissue window for CT.

        The paper states neither grid nor intensities; both are our choice. Of MR the darkest and
        the brightest half per cent are cut.
        """
        domains = {"ct": DomainPreset(window=(-160, 240))}
        if set(self.options.structures) <= set(_IN_CT):
            domains["ct"] = DomainPreset(window=(-160, 240), labels={"liver": _CT_LIVER})
        mr = self.options.modes if self.options.mode_domains else ("mr",)
        return Preprocessing(
            labels={name: _MR_VALUES[name] for name in self.options.structures},
            spacing=(1.6, 1.6, 7.8),
            domains={**domains, **dict.fromkeys(mr, _MR_PRESET)},
        )

    def _mr(self, folder: Path, mode: Mode) -> Case:
        sequence = folder / _SEQUENCES[mode]
        image = sequence / "DICOM_anon"
        if mode in _PHASES:
            image = _phase(image, _PHASES[mode])
        return Case(
            id=f"mr-{folder.name}-{mode}",
            subject=f"mr-{folder.name}",
            domain=mode if self.options.mode_domains else "mr",
            images=(image,),
            label=sequence / "Ground",
        )


def _subjects(folder: Path) -> Iterator[Path]:
    numbered = [path for path in folders(folder) if path.name.isdecimal()]
    return iter(sorted(numbered, key=lambda path: (int(path.name), path.name)))


def _ct(folder: Path) -> Case:
    name = f"ct-{folder.name}"
    return Case(name, name, "ct", (folder / "DICOM_anon",), folder / "Ground")


def _phase(folder: Path, name: str) -> Path:
    """Return the folder of a phase, however its name is written; the usual one if none is there."""
    written = (path for path in folders(folder) if _letters(path.name) == _letters(name))
    return next(written, folder / name)


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalpha())
