"""The finished study from Python, as a notebook looks at it."""

import nibabel as nib
import numpy as np
import pytest

import uda_study
from uda_study.tracking.store import open_store

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def study(finished):
    shell, outcome = finished
    return uda_study.load(outcome["study"], shell.home)


def test_the_leaderboard_is_a_data_frame_with_the_figures_of_the_command(study, finished):
    shell, outcome = finished
    (table,) = shell.json("leaderboard", outcome["study"], "--format", "json")["tables"]
    frame = study.leaderboard()
    assert frame["cell"].tolist() == [row["cell"] for row in table["rows"]]
    means = [row["scores"]["dice"]["mean"] for row in table["rows"]]
    assert frame["dice"].tolist() == pytest.approx(means)
    assert frame["verdict"][0] == "first"
    assert study.leaderboard(select="entropy").shape[0] == len(frame)
    with pytest.raises(uda_study.InputError, match="no such rule"):
        study.leaderboard(select="entropie")


def test_running_a_finished_study_again_trains_nothing(study, finished, tmp_path):
    shell, outcome = finished
    lines = []
    workers = ["resources.num_workers=2", "resources.cpu=0.5"]
    again = uda_study.run(shell.study_file(), home=shell.home, settings=workers, tell=lines.append)
    assert again == study
    assert lines[-1] == f"study {outcome['study']} complete"
    assert any(line.startswith("✓ labels: weights equal") for line in lines)
    assert not any("trainings done" in line for line in lines)


def test_the_best_model_segments_images(study, tmp_path):
    model = study.best()
    assert model.config.study == study.id
    image = np.random.default_rng(0).normal(size=(32, 32, 4)).astype(np.float32)
    nib.Nifti1Image(image, np.diag([7.0, 7.0, 14.0, 1.0])).to_filename(tmp_path / "scan.nii.gz")
    done = model.predict(tmp_path / "scan.nii.gz", tmp_path / "out", tell=lambda _: None)
    assert nib.load(done.files[0]).shape == image.shape
    assert len(done.volumes) == 1


def test_the_report_is_one_file_with_volumes(study, tmp_path):
    page = study.report(tmp_path / "report.html", tell=lambda _: None)
    text = page.read_text()
    assert study.id in text
    assert 'id="viewer-cases"' in text
    assert "weights equal with noise in place of" in text


def test_the_cells_of_a_finished_study_have_the_leaderboards_figures_in_mlflow(study):
    client = open_store(study.home)
    experiment = client.get_experiment_by_name(study.id)
    cells = client.search_runs([experiment.experiment_id], "tags.`uda.kind` = 'cell'")
    found = {run.data.tags["uda.cell"]: run.data.metrics["dice"] for run in cells}
    frame = study.leaderboard().set_index("cell")["dice"]
    assert found == pytest.approx(frame.round(4).to_dict())
    assert "mlflow.sharedViewState.leaderboard" in experiment.tags


def test_what_two_seeds_have_confirmed_is_promoted_for_a_reason_alone(study):
    cell = study.leaderboard()["cell"][0]
    held = study.promote(cell, "heads", dry_run=True)
    assert [gate.name for gate in held.gates if not gate.passed][:1] == ["confirmed seeds"]
    assert (held.name, held.alias) == ("heads", "champion")
