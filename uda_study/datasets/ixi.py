"""The IXI collection: healthy brains in T1 from three London hospitals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from uda_study.data.tree import TreeOptions, entries, matching, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.errors import InputError, Problem
from uda_study.types import Case

_FILE = re.compile(r"(IXI\d{3})-(Guys|HH|IOP)-(\d+)(?:-T1)?\.nii(?:\.gz)?")
_NIFTI = (".nii", ".nii.gz")


class IxiOptions(TreeOptions):
    """Where the tissue maps lie, which IXI does not come with.

    Folders are relative to the root or absolute. ``{subject}`` stands for a name such as IXI002,
    ``{image}`` for one such as IXI002-Guys-0828-T1, and ``*`` for anything.
    """

    labels: Path = Field(description="the folder of the tissue maps, one file per subject")
    label_name: str = Field("{subject}*", description="how a subject's map is named, no suffix")
    masks: Path | None = Field(None, description="the folder of brain masks, if there is one")
    mask_name: str = Field("{subject}*", description="how a subject's mask is named, no suffix")


class Ixi(Dataset[IxiOptions]):
    """Cerebrospinal fluid, grey and white matter in T1; the hospital is the domain.

    The tissue maps are the user's: 1 cerebrospinal fluid, 2 grey matter, 3 white matter, as FSL
    FAST numbers the tissues of a T1 image.
    """

    Options = IxiOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="healthy brains in T1 MR of three hospitals; bring tissue maps",
        licence="CC BY-SA 3.0",
        citation="IXI dataset, https://brain-development.org/ixi-dataset/",
        request="https://brain-development.org/ixi-dataset/, free to download",
        tree="T1/IXI<number>-{Guys,HH,IOP}-<number>-T1.nii.gz\n"
        "<labels>/IXI<number>*.nii.gz, the folder that data.options.labels names",
    )
    paper = PaperProtocol(
        folds=1,
        val=0,
        test=0.3,
        source="Ren et al., IEEE TMI 2021: 70 % of the subjects for training, 30 % for the test; "
        "no validation",
    )

    def cases(self) -> Sequence[Case]:
        """Return the subjects by hospital and number; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        options = self.options
        maps = _Beside.open(root, options.labels, options.label_name, "labels")
        masks = options.masks and _Beside.open(root, options.masks, options.mask_name, "masks")
        found, problems = matching([root, root / "T1"], _FILE)
        cases = []
        for (subject, site, *_), image in sorted(found.items(), key=lambda item: item[0][1::-1]):
            name = f"{subject}_{site.lower()}"
            if name in options.leave_out:
                cases.append(Case(name, subject, site.lower(), (image,)))
                continue
            label = maps.of(name, subject, image, problems)
            mask = masks.of(name, subject, image, problems) if masks else None
            cases.append(Case(name, subject, site.lower(), (image,), label, mask))
        named = [beside.folder for beside in (maps, masks) if beside]
        return sound_cases(root, self.info, cases, problems, options.leave_out, named)

    def preprocessing(self) -> Preprocessing:
        """Return the three tissues, z-scored, on the native grid.

        The paper extracts the brain and corrects the bias field first, which is not done here: put
        such images into the tree, or name brain masks. It names no normalisation.
        """
        return Preprocessing(labels={"csf": (1,), "grey_matter": (2,), "white_matter": (3,)})


@dataclass(frozen=True)
class _Beside:
    """The NIfTI files of a folder that the user names, to be found by subject."""

    folder: Path
    name: str
    option: str
    files: tuple[Path, ...]

    @classmethod
    def open(cls, root: Path, folder: Path, name: str, option: str) -> _Beside:
        folder = (root / folder).resolve()
        if not folder.is_dir():
            raise InputError.of(
                f"data.options.{option}", "no such folder", folder, "name one that is there"
            )
        files = tuple(path for path in entries(folder) if path.name.endswith(_NIFTI))
        return cls(folder, name, option, files)

    def of(self, case: str, subject: str, image: Path, problems: list[Problem]) -> Path:
        """Return the one file of a subject, or where it was expected; notes several."""
        name = self.name.replace("{subject}", subject).replace("{image}", _stem(image))
        files = [file for file in self.files if fnmatchcase(_stem(file), name)]
        if len(files) > 1:
            shown = ", ".join(file.name for file in files)
            remedy = f"make data.options.{self.option[:-1]}_name match one"
            problems.append(
                Problem(f"{case} {self.option[:-1]}", "must be one file", shown, remedy)
            )
        return files[0] if files else self.folder / f"{name}.nii.gz"


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".nii")
