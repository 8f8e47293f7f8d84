"""A study's resolved settings as a file that reads back as the same study."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from uda_study.types import JSON


def study_text(resolved: Mapping[str, JSON]) -> str:
    """Return the text of a study file, settings applied and defaults filled in.

    Keys keep their order: the names of cells, and what a search draws, go by the order of factors
    and parameters.
    """
    text = io.StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(json.loads(json.dumps(resolved)), text)
    return text.getvalue()
