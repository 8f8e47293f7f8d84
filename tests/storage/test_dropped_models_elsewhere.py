"""A study that keeps the models of its best trainings alone, seen from another home."""

import pytest
from one_process import Machine

from uda_study.api.fetching import fetch
from uda_study.engine.job import Home
from uda_study.engine.retention import MODEL, was_dropped
from uda_study.engine.retrain import retrain
from uda_study.engine.setup import prepare_study
from uda_study.study.source import SourcedStudy
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("no_pictures")]


@pytest.fixture
def keeping_one(tmp_path) -> SourcedStudy:
    few = ["matrix.dam.depth=[g2]", "search.num_samples=2", "confirm.seeds=[1]"]
    return load_study(
        write_tiny_study(tmp_path),
        [*few, "baselines=[no_adaptation]", "checkpoint.study_top_k=1"],
    )


def quiet(_: str) -> None:
    """Say nothing."""


def test_it_comes_whole_without_them_and_with_one_that_was_trained_again(
    keeping_one, bucket, tmp_path
):
    home = Home(tmp_path / "cluster", bucket.address)
    home.create()
    machine = Machine()
    ended = machine.go(keeping_one, home)
    assert ended.status == "complete"
    (dropped,) = machine.log.dropped
    where = f"studies/{ended.study}/trials/{dropped}"
    assert not [key for key in bucket.stored() if key.startswith(f"{where}/{MODEL}/")]

    def fetched(name: str) -> Home:
        place = Home(tmp_path / name)
        assert fetch(ended.study, place.path, bucket.address, quiet).trials == {"complete": 4}
        return place

    early = fetched("early")
    assert was_dropped(early.path / where)
    assert len(list(early.study(ended.study).glob(f"trials/*/{MODEL}"))) == 3

    retrain(prepare_study(keeping_one, home), home, dropped)
    late = fetched("late")
    assert (late.path / where / MODEL).is_dir()
    assert not was_dropped(late.path / where)
