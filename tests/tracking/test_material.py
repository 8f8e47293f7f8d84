import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_study import result, spec, write_trial

from uda_study.errors import InputError, StoreError
from uda_study.study.checks import Check, checks_to_json
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.material import material
from uda_study.tracking.store import open_store

Make = Callable[..., MlflowRunLog]


def log_two(make_log: Make, folder: Path) -> None:
    log = make_log()
    for seed, dice in ((0, 0.6), (1, 0.8)):
        one = spec(kind="confirm", seed=seed)
        log.trial_started(one, {})
        place = write_trial(folder, one, dice)
        (place / "overlays.png").write_bytes(f"picture {seed}".encode())
        log.trial_finished(one, result(one, blind_score=0.4), place)
    log.close("complete")


def test_all_of_a_report_comes_from_mlflow(
    home: Path, folder: Path, make_log: Make, tmp_path: Path
):
    checks = (Check("twins", True, "none"), Check("labels", False, "one"))
    (folder / "checks.json").write_text(checks_to_json(checks))
    (folder / "data.json").write_text(json.dumps({"cases": {}, "splits": {}}))
    log_two(make_log, folder)
    for file in ("study.yaml", "data.json", "environment.txt", "checks.json"):
        (folder / file).unlink()
    found = material(open_store(home), "toy-1", tmp_path / "into")
    assert found.study == "toy-1"
    assert found.board.tables[0].rows[0].dice == pytest.approx(0.7)
    assert (len(found.runs), len(found.cases)) == (2, 8)
    # Paths were cut when the file was attached.
    assert found.spec == {"name": "toy", "root": "..."}
    assert found.data == {"cases": {}, "splits": {}}
    assert found.environment == "torch==2.13\n"
    assert found.checks == checks


def test_files_are_those_of_the_training_that_is_asked_for(
    home: Path, folder: Path, make_log: Make, tmp_path: Path
):
    log_two(make_log, folder)
    found = material(open_store(home), "toy-1", tmp_path / "into")
    for seed in (0, 1):
        path = found.file(spec(kind="confirm", seed=seed).key, "overlays.png")
        assert path is not None
        assert path.read_text() == f"picture {seed}"
    assert found.file(spec(kind="confirm", seed=0).key, "styles.png") is None
    assert found.file("nothing", "overlays.png") is None


def test_downloads_of_two_trainings_do_not_meet(
    home: Path, folder: Path, make_log: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log_two(make_log, folder)
    # As from a server: nothing lies where this process could read it.
    monkeypatch.setattr("uda_study.tracking.fetching.local_folder", lambda _: None)
    found = material(open_store(home), "toy-1", tmp_path / "into")
    keys = [spec(kind="confirm", seed=seed).key for seed in (0, 1)]
    paths = [found.file(key, "overlays.png") for key in keys]
    assert [path.read_text() for path in paths if path] == ["picture 0", "picture 1"]
    assert all(path is not None and (tmp_path / "into") in path.parents for path in paths)


def test_older_studies_have_no_checks(home: Path, folder: Path, make_log: Make, tmp_path: Path):
    log_two(make_log, folder)
    assert material(open_store(home), "toy-1", tmp_path).checks == ()


def test_a_study_whose_files_are_gone_is_damaged(
    home: Path, folder: Path, make_log: Make, tmp_path: Path
):
    (folder / "data.json").unlink()
    log_two(make_log, folder)
    with pytest.raises(StoreError, match=r"data\.json is not among its files"):
        material(open_store(home), "toy-1", tmp_path)
    with pytest.raises(InputError, match="unknown study"):
        material(open_store(home), "other", tmp_path)
