"""The Retinal OCT Fluid Challenge of 2017: fluids of the retina, seen by three scanners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from uda_study.data.tree import TreeOptions, folders, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

_SET = re.compile(r"RETOUCH-TrainingSet-(Cirrus|Spectralis|Topcon)", re.IGNORECASE)
_SUBJECT = re.compile(r"TRAIN(\d+)", re.IGNORECASE)


class Retouch(Dataset[TreeOptions]):
    """Optical coherence tomography of the retina; a domain is a scanner.

    The volumes' axes are the A-scan in its B-scan, the depth, and the B-scan, in this order.
    """

    Options = TreeOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="three fluids of the retina in 70 OCT volumes of three scanners",
        licence="the challenge's data agreement; research only",
        citation="Bogunovic et al., RETOUCH - The Retinal OCT Fluid Detection and Segmentation "
        "Benchmark and Challenge, IEEE TMI 38 (2019) 1858-1874",
        request="https://retouch.grand-challenge.org, by registration",
        tree="RETOUCH-TrainingSet-{Cirrus,Spectralis,Topcon}/TRAIN<id>/oct.{mhd,raw}\n"
        "RETOUCH-TrainingSet-{Cirrus,Spectralis,Topcon}/TRAIN<id>/reference.{mhd,raw}",
    )
    paper = PaperProtocol(
        folds=1,
        val=0,
        test=0.3,
        source="Ren et al., IEEE TMI 2021: 70 % of the subjects for training, 30 % for the test",
    )

    def cases(self) -> Sequence[Case]:
        """Return the volumes by scanner and number; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        cases = [_case(domain, folder) for domain, folder in sorted(_volumes(root))]
        return sound_cases(root, self.info, cases, leave_out=self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return the grid of Spectralis, the paper's target, for all; slices are B-scans.

        The paper brings Cirrus to the dimensions of Spectralis by the nearest neighbour; here
        every volume is smoothed and interpolated to its voxels of 0.0117 x 0.0039 x 0.12 mm.
        """
        return Preprocessing(
            labels={
                "intraretinal_fluid": (1,),
                "subretinal_fluid": (2,),
                "pigment_epithelial_detachment": (3,),
            },
            spacing=(0.0117, 0.0039, 0.12),
            # In the files the B-scans follow each other along the third axis.
            slices="axial",
        )


def _volumes(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield scanner and folder of each volume; archives may have been unpacked into folders."""
    for place in (root, *folders(root), *(deep for one in folders(root) for deep in folders(one))):
        match = _SET.fullmatch(place.name)
        for volume in folders(place):
            if match is not None and _SUBJECT.fullmatch(volume.name):
                yield match[1].lower(), volume


def _case(domain: str, folder: Path) -> Case:
    name = f"{domain}-{folder.name[len('TRAIN') :]}"
    return Case(name, name, domain, (folder / "oct.mhd",), folder / "reference.mhd")
