"""A study that began on one cluster goes on, on another that shares no folder with it."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from interrupting_run import __file__ as interrupting
from one_process import Machine

from uda_study.engine.job import Home
from uda_study.study.validate import load_study

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("no_pictures")]

TINY = Path(__file__).parents[1] / "e2e" / "tiny_study.py"
PATIENCE_S = 300
FEW = (
    "matrix.dam.depth=[g2]", "search.num_samples=1", "confirm.seeds=[1]",
    "baselines=[no_adaptation]", "search.max_concurrent_trials=1",
)  # fmt: skip


def call(folder: Path, home: str, *words: str, code: int = 0, program=("-m", "uda_study")) -> str:
    """Run the command line; its workers have the environment of this process."""
    command = [sys.executable, *program, *words, "--home", str(folder / home)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "canary" not in done.stdout + done.stderr
    return done.stdout


def results(home: Path) -> dict[str, tuple]:
    """Return what every training came to, without what it took."""
    (journal,) = home.glob("studies/*/journal.jsonl")
    found = {}
    for line in map(json.loads, journal.read_text().splitlines()):
        if line["event"] == "finished":
            result = line["result"]
            assert result["key"] not in found, "done twice"
            scores = {n: v for n, v in result["scores"].items() if not n.startswith("cost/")}
            found[result["key"]] = (result["status"], result["step"], scores)
    return found


def test_a_study_goes_on_in_another_home_and_is_looked_at_in_a_third(tmp_path, bucket, monkeypatch):
    namespace: dict[str, str] = {}
    exec(TINY.read_text(), namespace)
    file = tmp_path / "tiny.yaml"
    file.write_text(namespace["STUDY"])
    run = ["run", str(file), *(word for value in FEW for word in ("--set", value))]
    # What an undisturbed run comes to does not depend on Ray.
    Machine().go(load_study(file, FEW), Home(tmp_path / "undisturbed"))
    monkeypatch.setenv("UDA_STUDY_STORAGE", bucket.address)
    call(tmp_path, "a", *run, code=4, program=(interrupting, "2"))
    assert len(results(tmp_path / "a")) == 2
    resumed = json.loads(call(tmp_path, "b", "resume", "tiny", "--json"))
    assert resumed["status"] == "complete"
    assert results(tmp_path / "b") == results(tmp_path / "undisturbed")
    assert results(tmp_path / "a").items() <= results(tmp_path / "b").items()

    found = json.loads(call(tmp_path, "c", "fetch", "tiny", "--json"))
    assert found["trials"] == {name: n for name, n in resumed["trials"].items() if n}
    tables = json.loads(call(tmp_path, "c", "leaderboard", "tiny", "--format", "json"))["tables"]
    cell = tables[0]["rows"][0]["cell"]
    call(tmp_path, "c", "promote", "tiny", "--cell", cell, "--to", "heads", "--force", "a test")
    image = np.random.default_rng(0).normal(size=(32, 32, 4)).astype(np.float32)
    nib.Nifti1Image(image, np.diag([7.0, 7.0, 14.0, 1.0])).to_filename(tmp_path / "scan.nii.gz")
    call(tmp_path, "c", "predict", "-m", "heads@champion", "-i", "scan.nii.gz", "-o", "out")
    assert list((tmp_path / "out").glob("scan*.nii.gz"))
