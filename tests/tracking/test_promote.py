import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest
import torch
from toy_method import CONFIG, make_method
from toy_study import CELL, TAGS, result, spec, write_trial

from uda_study.errors import InputError, StoreError
from uda_study.tracking._mlflow import MlflowClient
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.place import tracking_uri
from uda_study.tracking.promote import Promotion, Request, promote, resolve_model
from uda_study.tracking.registry import DIGEST, find_version, parse_model_name
from uda_study.tracking.store import open_store
from uda_study.training.package import load_package, save_package, verify_package

REQUEST = Request("toy-1", CELL.key, "cardiac-mr2ct")
PROMOTABLE = {"seeds": "0,1,2", "checks": "5 passed"}


class Promoted:
    """A store with a study whose cell can be promoted, as often as wanted."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.client: MlflowClient = open_store(home)

    def run(self, study: str = "toy-1", dice: float = 0.7, bound: float = 0.3, **tags: str) -> None:
        log = MlflowRunLog(self.home, supervision=lambda _: "images")
        log.open(study, self.folder, [CELL], {**TAGS, **PROMOTABLE, **tags})
        lower = spec(kind="baseline", method="no_adaptation", cell="no_adaptation", study=study)
        log.trial_started(lower, {})
        log.trial_finished(lower, result(lower), write_trial(self.folder, lower, bound))
        for seed in range(int(tags.get("confirmed", "3"))):
            one = spec(kind="confirm", seed=seed, study=study)
            place = write_trial(self.folder, one, dice)
            config = CONFIG.model_copy(update={"study": study, "trial": one.key})
            save_package(place / "model", make_method(seed), config)
            log.trial_started(one, {})
            log.trial_finished(one, result(one, blind_score=0.1 + seed), place)
        log.close("complete")

    def promote(self, predicts: bool = True, **changes: Any) -> Promotion:
        return promote(self.client, replace(REQUEST, **changes), lambda _: predicts)

    def holder(self, alias: str) -> int:
        return int(find_version(self.client, f"{REQUEST.name}@{alias}").version)


@pytest.fixture
def store(home: Path, folder: Path, toy_plugin: None) -> Promoted:
    store = Promoted(home, folder)
    store.run()
    return store


def test_the_confirmed_training_with_the_best_blind_score_is_promoted(store: Promoted):
    promotion = store.promote()
    assert promotion.passed, promotion.gates
    assert (promotion.version, promotion.previous) == (1, None)
    assert promotion.trial == spec(kind="confirm", seed=2).key
    version = find_version(store.client, "cardiac-mr2ct@champion")
    assert version.tags[DIGEST] == promotion.digest
    assert version.description == promotion.card
    package = resolve_model(store.client, "cardiac-mr2ct@champion")
    method, config = load_package(package)
    assert config.trial == promotion.trial
    image = torch.ones(1, 1, 8, 8)
    assert torch.equal(method.segment(image), make_method(2).segment(image))
    assert resolve_model(store.client, "models:/cardiac-mr2ct/1") == package
    assert resolve_model(store.client, str(package)) == package


def test_the_card_states_scores_limits_and_gates(store: Promoted):
    card = store.promote().card
    for expected in ("Not a medical device", "| dice | 0.700 |", "3 of 3 seeds", "no test can",
        "no_adaptation (lower bound) |", "not of this one", "passed: leak checks (5 passed)",
    ):  # fmt: skip
        assert expected in card
    assert "passed: clean git" in card


def test_mlflow_users_can_load_what_was_promoted(store: Promoted, monkeypatch: pytest.MonkeyPatch):
    store.promote()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(store.home))
    served = mlflow.pyfunc.load_model("models:/cardiac-mr2ct@champion", suppress_warnings=True)
    assert served.metadata.signature.inputs.to_dict()[0]["tensor-spec"]["shape"] == (-1, 1, -1, -1)
    probabilities = served.predict(np.zeros((2, 1, 8, 8), dtype=np.float32))
    assert probabilities.shape == (2, 2, 8, 8)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_former_holder_becomes_previous(store: Promoted):
    store.promote()
    store.run("toy-2", dice=0.8)
    promotion = store.promote(study="toy-2")
    assert (promotion.version, promotion.previous) == (2, 1)
    assert (store.holder("champion"), store.holder("previous")) == (2, 1)


def test_promoting_the_same_model_again_changes_nothing(store: Promoted):
    store.promote()
    again = store.promote()
    assert (again.version, again.previous) == (1, None)


def test_a_dry_run_registers_nothing(store: Promoted):
    promotion = store.promote(dry_run=True)
    assert promotion.passed
    assert promotion.version is None
    assert list(store.client.search_registered_models()) == []


@pytest.mark.parametrize(
    ("tags", "gate"),
    [
        ({"selection": "oracle/dice"}, "unsupervised selection"),
        ({"seeds": "0,1,2,3"}, "confirmed seeds"),
        ({"seeds": "0,1", "confirmed": "2"}, "confirmed seeds"),
        ({"checks": ""}, "leak checks"),
        ({"git_commit": "abc-dirty"}, "clean git"),
    ],
)
def test_a_failed_gate_holds_the_model_back(store: Promoted, tags: dict[str, str], gate: str):
    store.run("toy-2", **tags)
    promotion = store.promote(study="toy-2")
    assert [found.name for found in promotion.gates if not found.passed] == [gate]
    assert promotion.version is None


def test_a_model_that_predicts_otherwise_after_storing_is_held_back(store: Promoted):
    promotion = store.promote(predicts=False)
    assert not promotion.passed
    assert promotion.version is None


def test_a_reason_passes_over_failed_gates_and_is_recorded(store: Promoted):
    promotion = store.promote(predicts=False, force="trial run")
    assert promotion.version == 1
    version = find_version(store.client, "cardiac-mr2ct/1")
    assert version.tags["uda.forced"] == "trial run"
    assert "in spite of failed gates: trial run" in promotion.card


def test_a_worse_model_does_not_replace_the_champion(store: Promoted):
    store.promote()
    store.run("toy-2", dice=0.5)
    promotion = store.promote(study="toy-2")
    (failed,) = [gate for gate in promotion.gates if not gate.passed]
    assert failed.name == "not worse than the present champion"
    assert "-0.200 Dice" in failed.detail
    assert store.holder("champion") == 1


def test_a_champion_that_cannot_be_compared_is_replaced_for_a_reason_alone(store: Promoted):
    store.promote()
    store.run("toy-2", dice=0.8, data_sha="other")
    held_back = store.promote(study="toy-2")
    (failed,) = [gate for gate in held_back.gates if not gate.passed]
    assert "cannot be compared: the champion was trained on other data" in failed.detail
    assert (held_back.version, store.holder("champion")) == (None, 1)
    assert store.promote(study="toy-2", force="the new scanner").version == 2


def test_a_model_that_does_worse_than_no_adaptation_is_held_back(store: Promoted):
    store.run("toy-2", bound=0.8)
    (failed,) = [gate for gate in store.promote(study="toy-2").gates if not gate.passed]
    assert failed.name == "not worse than no adaptation"
    assert failed.detail.startswith("-0.100 Dice")


def test_an_unknown_cell_names_the_nearest(store: Promoted):
    with pytest.raises(InputError, match="did you mean 'depth=5'"):
        store.promote(cell="depth=6")


def test_a_name_that_is_not_registered_names_those_that_are(store: Promoted):
    with pytest.raises(InputError, match="nothing was promoted yet"):
        resolve_model(store.client, "cardiac@champion")
    store.promote()
    with pytest.raises(InputError, match="registered: cardiac-mr2ct"):
        resolve_model(store.client, "cardiac@champion")


def test_names_have_an_alias_or_a_version():
    assert parse_model_name("a-b@champion") == ("a-b", "champion", None)
    assert parse_model_name("models:/a/3") == ("a", None, 3)
    for text in ("a", "a@", "../a@b", "a/x"):
        with pytest.raises(InputError, match="NAME@ALIAS"):
            parse_model_name(text)


class TestATamperedModelIsRefused:
    @pytest.fixture
    def registered(self, store: Promoted) -> Path:
        store.promote()
        return Path(find_version(store.client, "cardiac-mr2ct/1").source)

    def refused(self, store: Promoted, match: str) -> None:
        with pytest.raises(StoreError, match=match):
            resolve_model(store.client, "cardiac-mr2ct@champion")

    def test_with_code_in_its_description(self, store: Promoted, registered: Path):
        text = (registered / "MLmodel").read_text()
        (registered / "MLmodel").write_text(text.replace("code: null", "code: code"))
        self.refused(store, "code of its own")

    def test_with_another_loader(self, store: Promoted, registered: Path):
        text = (registered / "MLmodel").read_text()
        changed = text.replace("uda_study.tracking.serving", "mlflow.sklearn")
        (registered / "MLmodel").write_text(changed)
        self.refused(store, "must be loaded by")

    def test_with_another_flavor(self, store: Promoted, registered: Path):
        text = (registered / "MLmodel").read_text()
        changed = text.replace("flavors:\n", "flavors:\n  sklearn:\n    pickled_model: m.pkl\n")
        (registered / "MLmodel").write_text(changed)
        self.refused(store, "must be loaded by")

    def test_with_a_python_tag(self, store: Promoted, registered: Path):
        (registered / "MLmodel").write_text("!!python/object/apply:os.system ['true']\n")
        self.refused(store, "MLmodel")

    def test_with_a_file_more(self, store: Promoted, registered: Path):
        (registered / "sitecustomize.py").write_text("")
        self.refused(store, "does not belong")

    def test_with_a_link(self, store: Promoted, registered: Path):
        (registered / "conda.yaml").unlink()
        (registered / "conda.yaml").symlink_to("/etc/hostname")
        self.refused(store, "does not belong")

    def test_with_other_weights_and_a_manifest_to_match(self, store: Promoted, registered: Path):
        package = registered / "data" / "model"
        shutil.rmtree(package)
        save_package(package, make_method(5), CONFIG)
        verify_package(package)
        self.refused(store, "not the model that was promoted")

    @pytest.mark.usefixtures("registered")
    def test_without_a_digest(self, store: Promoted):
        store.client.delete_model_version_tag("cardiac-mr2ct", "1", DIGEST)
        self.refused(store, "was not promoted by uda-study")

    def test_its_gates_are_on_record(self, registered: Path):
        gates = json.loads((registered / "gates.json").read_text())
        assert len(gates) == 7
        assert all(gate["passed"] for gate in gates)


def test_round_trip_sees_the_package_of_the_training(store: Promoted):
    seen: list[str] = []

    def check(package: Path) -> bool:
        seen.append(verify_package(package))
        return True

    assert [promote(store.client, REQUEST, check).digest] == seen
