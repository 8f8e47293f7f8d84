"""The WMH Segmentation Challenge of 2017: lesions in T1 and FLAIR of several scanners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from uda_study.data.tree import TreeOptions, folders, nifti, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

Channel = Literal["T1", "FLAIR"]

# By the name without signs and without the site, as `_plain` returns it.
_DOMAINS = {
    "utrecht": "utrecht",
    "singapore": "singapore",
    "ge3t": "amsterdam",
    "ge1t5": "amsterdam_ge1t5",
    "philipsvupetmr01": "amsterdam_petmr",
}
_SITE_OF_SCANNERS = ""
_TRAINING = ("", "public", "training")


class Wmh2017Options(TreeOptions):
    """Which subjects, which images of them."""

    part: Literal["pre", "orig"] = Field(
        "pre", description="pre: bias field corrected by the organisers; orig: as acquired"
    )
    channels: tuple[Channel, ...] = Field(("T1", "FLAIR"), min_length=1, max_length=2)
    subjects: Literal["training", "test", "all"] = Field(
        "training", description="the 60 that the paper used, or those published later"
    )


class Wmh2017(Dataset[Wmh2017Options]):
    """White matter hyperintensities; other pathology counts in no metric.

    ``3DT1`` is never read: it is not aligned with FLAIR, on which the labels were drawn.
    """

    Options = Wmh2017Options
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="white matter hyperintensities in T1 and FLAIR MR of three to five scanners",
        licence="the terms shown with the download; non-commercial",
        citation="Kuijf et al., Standardized assessment of automatic segmentation of white matter "
        "hyperintensities and results of the WMH segmentation challenge, IEEE Transactions on "
        "Medical Imaging 38 (2019) 2556-2568",
        request="https://doi.org/10.34894/AECRSD, linked from https://wmh.isi.uu.nl",
        tree="training/{Utrecht,Singapore,Amsterdam/GE3T}/<id>/pre/{T1,FLAIR}.nii.gz\n"
        "training/{Utrecht,Singapore,Amsterdam/GE3T}/<id>/orig/{T1,FLAIR}.nii.gz\n"
        "training/{Utrecht,Singapore,Amsterdam/GE3T}/<id>/wmh.nii.gz\n"
        "test/{...,Amsterdam/GE1T5,Amsterdam/Philips_VU .PETMR_01.}/<id>/...\n"
        "older: public/{Utrecht,Singapore,GE3T}/<id>/...",
    )
    paper = PaperProtocol(
        folds=7,
        val=3 / 20,
        test=3 / 20,
        source="Palladino et al., SIPAIM 2020: 7-fold, of 20 subjects per centre 14 for training, "
        "3 for validation, 3 for the test",
    )

    def cases(self) -> Sequence[Case]:
        """Return the subjects by centre and number; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        wanted = {
            "training": _TRAINING,
            "test": ("test",),
            "all": (*_TRAINING, "test"),
        }[self.options.subjects]
        cases = [
            self._case(subject, domain)
            for part in wanted
            for folder, domain in _centres(root / part)
            for subject in folders(folder)
        ]
        order = list(_DOMAINS.values())
        cases.sort(key=lambda case: (order.index(case.domain), len(case.subject), case.subject))
        return sound_cases(root, self.info, cases, leave_out=self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return z-scores on the grid of FLAIR, as the paper; it resampled nothing."""
        return Preprocessing(labels={"wmh": (1,)}, ignore=(2,))

    def _case(self, folder: Path, domain: str) -> Case:
        subject = f"{domain}-{folder.name}"
        images = folder / self.options.part
        return Case(
            id=subject,
            subject=subject,
            domain=domain,
            images=tuple(nifti(images / channel) for channel in self.options.channels),
            label=nifti(folder / "wmh"),
        )


def _centres(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders of the scanners and the domains they are."""
    for site in folders(folder):
        name = _plain(site.name)
        if name in _DOMAINS:
            yield site, _DOMAINS[name]
        elif name == _SITE_OF_SCANNERS:
            for scanner in folders(site):
                if _plain(scanner.name) in _DOMAINS:
                    yield scanner, _DOMAINS[_plain(scanner.name)]


def _plain(name: str) -> str:
    """Return a folder's name as releases agree in it.

    >>> _plain("Amsterdam_GE3T"), _plain("Philips_VU .PETMR_01."), _plain("Amsterdam")
    ('ge3t', 'philipsvupetmr01', '')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("amsterdam")
