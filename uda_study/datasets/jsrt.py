"""The chest X-rays of the Japanese Society of Radiological Technology, with the SCR outlines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from uda_study.data.tree import TreeOptions, folders, matching, require_root, sound_cases
from uda_study.dataset import Dataset, DatasetInfo, PaperProtocol, Preprocessing
from uda_study.types import Case

_FILE = re.compile(r"(JPC[LN]N\d{3})\.IMG", re.IGNORECASE)
_MASK = re.compile(r"(JPC[LN]N\d{3})\.gif", re.IGNORECASE)
_FOLDS = ("fold1", "fold2")
_SIDES = ("left lung", "right lung")


class Jsrt(Dataset[TreeOptions]):
    """Digitised chest films with and without a nodule; one domain, to be joined with another.

    The images are raw numbers, see `uda_study.data.raw_xray`; the outlines have half their sides.
    """

    Options = TreeOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="both lungs in 247 chest X-rays; one domain, for 'joined'",
        licence="images: the society's terms, shown with the download; outlines: research only",
        citation="Shiraishi et al., Am J Roentgenol 174 (2000) 71-74; van Ginneken et al., "
        "Medical Image Analysis 10 (2006) 19-40",
        request="images: http://db.jsrt.or.jp/eng.php; outlines: the SCR database of the Image "
        "Sciences Institute, Utrecht; both by registration",
        tree="JPCLN{001..154}.IMG, here or one or two folders deeper\n"
        "JPCNN{001..093}.IMG, likewise\n"
        "{fold1,fold2}/masks/left lung/JPC[LN]N<id>.gif, likewise\n"
        "{fold1,fold2}/masks/right lung/JPC[LN]N<id>.gif, likewise",
    )
    paper = PaperProtocol(
        folds=1,
        val=0.1,
        test=0.2,
        source="Chen et al., MLMI 2018: 7:1:2 for training, validation and test, at random",
    )

    def cases(self) -> Sequence[Case]:
        """Return the images by name; raises `InputError` with all problems of the tree."""
        root = require_root(self.root, self.info)
        places = [root, *folders(root), *(deep for one in folders(root) for deep in folders(one))]
        images, problems = matching(places, _FILE)
        masks: dict[str, dict[str, Path]] = {}
        for side in _SIDES:
            searched = (place / fold / "masks" / side for place in places for fold in _FOLDS)
            found, repeated = matching(searched, _MASK)
            masks[side] = {name.upper(): path for (name,), path in found.items()}
            problems += repeated
        cases = []
        for (name,), image in sorted(images.items()):
            label = tuple(
                masks[side].get(name.upper(), root / "fold1" / "masks" / side / f"{name}.gif")
                for side in _SIDES
            )
            cases.append(Case(name, name, "jsrt", (image,), label))
        return sound_cases(root, self.info, cases, problems, self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return 512 x 512 pixels of 0.7 mm, rescaled from the darkest to the brightest."""
        return Preprocessing(
            labels={"lungs": (1, 2)},
            spacing=(0.7, 0.7, 1.0),
            size=(512, 512, 1),
            intensity="percentile",
            percentiles=(0, 100),
        )
