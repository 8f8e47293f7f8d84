"""Run the command line as a user does, on small phantoms."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_study import STUDY

_PATIENCE_S = 600


@dataclass(frozen=True)
class Shell:
    """The command line with a home of its own."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "uda_study", *words, "--home", str(self.home)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out

    def json(self, *words: str, code: int = 0) -> object:
        return json.loads(self.run(*words, code=code))

    def study_file(self, text: str = STUDY) -> str:
        path = self.folder / "tiny.yaml"
        path.write_text(text)
        return str(path)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, dict]:
    """Return a study that was run to its end with two Ray Train workers per training."""
    shell = Shell(tmp_path_factory.mktemp("finished"))
    workers = ("--set", "resources.num_workers=2", "--set", "resources.cpu=0.5")
    outcome = shell.json("run", shell.study_file(), *workers, "--json")
    return shell, outcome
