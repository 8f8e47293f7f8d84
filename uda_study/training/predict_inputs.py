"""Which cases the files and folders are that somebody wants segmented.

Channels are named as in nnU-Net: ``NAME_0000.nii.gz``, ``NAME_0001.nii.gz``, … are one case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from uda_study.data import dicom
from uda_study.errors import InputError, Problem

IMAGE_ENDINGS = (".nii.gz", ".nii", ".png", ".mha", ".mhd")

# What stands in a DICOM file, and after how many bytes.
_DICOM_MARK, _BEFORE_MARK = b"DICM", 128
_SHOWN = 4
_CHANNEL = re.compile(r"(.+)_(\d{4})")


@dataclass(frozen=True)
class Input:
    """One case to be segmented: its name and one file per channel, or the folder of a series."""

    name: str
    images: tuple[Path, ...]

    @property
    def ending(self) -> str:
        """The ending of the segmentation's file: of PNG files it is a PNG, else NIfTI."""
        return ".png" if {_ending(path) for path in self.images} == {".png"} else ".nii.gz"


def find_inputs(sources: Iterable[Path], channels: int, output: Path) -> list[Input]:
    """Return the cases in files and folders, for a model of so many channels.

    A file is a case, or a channel of one together with its neighbours. A folder is a DICOM series,
    or it holds files, and folders of one case each; the folder ``output`` in it is passed over.
    Raises `InputError` with all that is no case, such as one with a wrong number of channels.
    """
    finder = _Finder(channels, output)
    for source in sources:
        try:
            finder.look_at(source)
        except OSError as error:
            finder.problems.append(Problem(str(source), "cannot be read", error.strerror))
    if finder.problems:
        raise InputError(finder.problems)
    return list(finder.found)


class _Finder:
    """Collects cases, each once, and what is wrong."""

    def __init__(self, channels: int, output: Path) -> None:
        self.channels = channels
        self.output = output.resolve()
        self.found: dict[Input, None] = {}
        self.problems: list[Problem] = []

    def look_at(self, source: Path) -> None:
        """Add the cases of what was named."""
        if source.is_dir():
            if not self._folder(source):
                remedy = f"expected files that end in {IMAGE_ENDINGS}, or DICOM slices"
                self.problems.append(Problem(str(source), "holds no images", None, remedy))
        elif not source.exists():
            self.problems.append(Problem(str(source), "no such file", None, "correct the path"))
        elif _ending(source) is None:
            rule, remedy = "must be an image", f"one of {IMAGE_ENDINGS}, or a folder"
            self.problems.append(Problem(str(source), rule, source.suffix or "no ending", remedy))
        elif self.channels == 1:
            self._add(_stem(source), [source])
        else:
            base = _base(source)
            self._add(base, [path for path in _images(source.parent) if _base(path) == base])

    def _folder(self, folder: Path) -> bool:
        """Add the cases of a folder; tell whether there were any, sound or not."""
        if _is_dicom(folder):
            self._add(folder.resolve().name, self._series(folder))
            return True
        files = _images(folder)
        if self.channels == 1:
            self._single_channels(files)
        else:
            bases = dict.fromkeys(_base(path) for path in files)
            if len(bases) > 1 and sorted(_number(path) for path in files) == self._numbers:
                self._add(folder.resolve().name, files)
            else:
                for base in bases:
                    self._add(base, [path for path in files if _base(path) == base])
        any_below = False
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.name.startswith(".") and below.resolve() != self.output:
                inside = self._series(below) if _is_dicom(below) else _images(below)
                if inside:
                    self._add(below.name, inside)
                    any_below = True
        return bool(files) or any_below

    def _series(self, folder: Path) -> list[Path]:
        """Return the folder of a series as the one image that it is."""
        if _images(folder):
            rule, remedy = "holds DICOM slices and other images", "give each a folder of its own"
            self.problems.append(Problem(str(folder), rule, None, remedy))
        return [folder]

    @property
    def _numbers(self) -> list[int]:
        """The numbers that the channels of a case have to have."""
        return list(range(self.channels))

    def _single_channels(self, files: Sequence[Path]) -> None:
        """Add a case for each file, unless they are plainly several channels of several cases."""
        numbers: dict[str, list[int]] = {}
        for path in files:
            numbers.setdefault(_base(path), []).append(_number(path))
        counts = {len(found) for found in numbers.values()}
        numbered = all(sorted(found) == list(range(len(found))) for found in numbers.values())
        if numbered and len(numbers) > 1 and len(counts) == 1 and counts != {1}:
            for name in numbers:
                self._add(name, [path for path in files if _base(path) == name])
            return
        for path in files:
            self._add(_base(path) if numbered and counts == {1} else _stem(path), [path])

    def _add(self, name: str, images: Sequence[Path]) -> None:
        """Add one case, if it has the channels of the model."""
        if self.channels == 1 and len(images) == 1:
            self.found[Input(name, tuple(images))] = None
        elif self.channels > 1 and sorted(map(_number, images)) == self._numbers:
            self.found[Input(name, tuple(sorted(images, key=_number)))] = None
        else:
            self.problems.append(_wrong_channels(name, images, self.channels))


def _wrong_channels(name: str, images: Sequence[Path], channels: int) -> Problem:
    if channels == 1:
        rule = "must have one channel, as the model was trained"
        remedy = (
            "give it the right one; files that are cases of their own lie in a folder given as -i"
        )
    else:
        rule = f"must have {channels} channels, as the model was trained"
        remedy = f"name them {name}_0000 to {name}_{channels - 1:04}, in the order of the training"
    found = [path.name for path in images[:_SHOWN]]
    more = f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else ""
    return Problem(name, rule, ", ".join(found) + more, remedy)


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and _is_image(path))


def _is_image(path: Path) -> bool:
    return _ending(path) is not None and not path.name.startswith(".")


def _is_dicom(folder: Path) -> bool:
    """Tell whether the files in a folder are DICOM slices; many have no ending."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() in dicom.SUFFIXES:
            return True
        if _ending(path) is None:
            with path.open("rb") as file:
                if file.read(_BEFORE_MARK + len(_DICOM_MARK))[_BEFORE_MARK:] == _DICOM_MARK:
                    return True
    return False


def _ending(path: Path) -> str | None:
    return next((end for end in IMAGE_ENDINGS if path.name.lower().endswith(end)), None)


def _stem(path: Path) -> str:
    return path.name[: -len(_ending(path) or path.suffix)]


def _base(path: Path) -> str:
    """Return the case that a file belongs to by its name, without the number of its channel."""
    named = _CHANNEL.fullmatch(_stem(path))
    return named[1] if named else _stem(path)


def _number(path: Path) -> int:
    """Return the number of the channel that a file is, -1 where its name has none."""
    named = None if path.is_dir() else _CHANNEL.fullmatch(_stem(path))
    return int(named[2]) if named else -1
