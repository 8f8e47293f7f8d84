import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from uda_study.cli import app
from uda_study.testing.fakes import write_tiny_study


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; anything else there is an error."""
        return json.loads(self.out)


Call = Callable[..., Ended]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    """Run ``uda-study`` as a terminal would, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UDA_STUDY_HOME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["uda-study", *map(str, words)])
        code: object = 0
        try:
            app.main()
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 1, out, err)

    return run


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study beside its images; not to be changed."""
    return write_tiny_study(tmp_path_factory.mktemp("study"))
