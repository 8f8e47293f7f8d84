"""The JSON schema of study files, for editors; ``schema/study.v1.json`` holds its text.

Regenerate it with ``python -m uda_study.study.schema > schema/study.v1.json``.
"""

from __future__ import annotations

import json
import sys

from uda_study.study.model import StudySpec
from uda_study.types import JSON

_CONSTANT: dict[str, JSON] = {
    "anyOf": [{"type": kind} for kind in ("number", "string", "boolean", "null", "array")],
    "title": "A constant",
}


def study_schema() -> dict[str, JSON]:
    """Return the schema: the typed study with constants and searched parameters in one section."""
    schema = StudySpec.model_json_schema()
    properties = schema["properties"]
    del properties["fixed"]
    words = {"enum": schema["$defs"]["SplitSpec"]["properties"]["protocol"]["enum"]}
    split = schema["$defs"]["DataSpec"]["properties"]["split"]
    schema["$defs"]["DataSpec"]["properties"]["split"] = {"anyOf": [words, split]}
    searched = properties["parameters"]["additionalProperties"]
    properties["parameters"]["additionalProperties"] = {"anyOf": [searched, _CONSTANT]}
    properties["parameters"]["description"] = "what is searched inside a cell, and constants"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the text of the schema file."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
