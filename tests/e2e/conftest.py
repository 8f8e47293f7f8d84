"""Run the command line as a user does, on small phantoms."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

STUDY = """\
version: 1
name: tiny
method: dam
matrix:
  dam.depth: [g2, g5]
  direction: [mr->ct]
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {alg: tpe, num_samples: 3, seed: 0}
scheduler: {type: asha, grace_period: 2, reduction_factor: 2}
confirm: {top_k: 1, seeds: [1, 2]}
evaluation: {every: 2, images: 4}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  align.clip: {type: float, low: 0.01, high: 0.1, log: true}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  segmenter.batch_size: 4
  critic.input: pool
  critic.width: 4
  critic.steps: 2
  critic.warm_up: 0
  critic.growth: 0
  batch_size: 4
  steps: 6
"""


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
        out, err = process.communicate(timeout=600)
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
