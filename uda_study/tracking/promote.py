"""Promote the model of a cell into the registry, if it passes the gates."""

from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from uda_study.errors import InputError
from uda_study.study.leaderboard import scored_runs
from uda_study.study.selection import ranking_by
from uda_study.tracking import gates
from uda_study.tracking._mlflow import MlflowClient, MlflowException, ModelVersion
from uda_study.tracking.artifacts import MODEL
from uda_study.tracking.card import model_card
from uda_study.tracking.dropped import no_model
from uda_study.tracking.fetching import fetch
from uda_study.tracking.gates import Gate, standing
from uda_study.tracking.names import clip, redact
from uda_study.tracking.query import study_runs
from uda_study.tracking.registry import (
    CARD,
    DIGEST,
    GATES,
    parse_model_name,
    resolve_model,
    wrap,
)
from uda_study.training.package import read_config, verify_package

__all__ = ["Gate", "Promotion", "Request", "promote", "resolve_model", "standing"]

PREVIOUS = "previous"
_TAGS = ("study", "cell", "key", "method", "dataset", "direction", "data_sha", "git_commit")


@dataclass(frozen=True)
class Request:
    """What to promote to which alias; ``force`` gives the reason to pass over failed gates."""

    study: str
    cell: str
    name: str
    alias: str = "champion"
    force: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Promotion:
    """What was found and done; ``version`` is None when nothing was registered."""

    name: str
    alias: str
    trial: str
    digest: str
    gates: tuple[Gate, ...]
    card: str
    version: int | None = None
    previous: int | None = None

    @property
    def passed(self) -> bool:
        """Whether every gate let the model through."""
        return all(gate.passed for gate in self.gates)


def promote(
    client: MlflowClient, request: Request, round_trip: Callable[[Path], bool]
) -> Promotion:
    """Check the gates and, if all pass or ``force`` gives a reason, register the cell's model.

    ``round_trip`` opens a package folder and says whether it predicts what the training's model
    predicted. Raises `InputError` for an unknown study or cell and for a cell without a model.
    """
    parse_model_name(f"{request.name}@{request.alias}")
    runs = study_runs(client, request.study)
    run = representative(runs, request.cell)
    table, row = standing(client, runs, request.cell)
    with tempfile.TemporaryDirectory() as scratch:
        package = fetch(client, run["run_id"], run["artifact_uri"], MODEL, Path(scratch))
        if package is None:
            raise no_model(client, run)
        digest, config = verify_package(package), read_config(package)
        champion = _holder(client, request.name, request.alias)
        found = (
            gates.chosen_blindly(run),
            gates.checked(run),
            gates.confirmed(row),
            gates.worth_adapting(table, row),
            gates.not_worse(client, run, row, champion),
            gates.clean(run),
            Gate("round-trip predict", round_trip(package), "the stored model predicts the same"),
        )
        forced = None if all(gate.passed for gate in found) else request.force
        card = model_card(config, table, row, found, forced, str(run["selection"]))
        promotion = Promotion(request.name, request.alias, str(run["key"]), digest, found, card)
        if request.dry_run or not (promotion.passed or forced):
            return promotion
        folder = Path(scratch) / "registered"
        wrap(package, folder)
        (folder / CARD).write_text(card, encoding="utf-8")
        text = json.dumps([asdict(gate) for gate in found], indent=2)
        (folder / GATES).write_text(text + "\n", encoding="utf-8")
        version = _register(client, request, run, promotion, folder)
    previous = None
    if champion is not None and int(champion.version) != version:
        previous = int(champion.version)
        client.set_registered_model_alias(request.name, PREVIOUS, str(previous))
    client.set_registered_model_alias(request.name, request.alias, str(version))
    return replace(promotion, version=version, previous=previous)


def _cell(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    rivals = runs[runs["kind"] != "baseline"]
    known = sorted(set(rivals["cell"]))
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.3)
        remedy = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        raise InputError.of("cell", "unknown cell", repr(key), remedy)
    return rivals[rivals["cell"] == key]


def representative(runs: pd.DataFrame, key: str) -> Mapping[str, str]:
    """Return the training that stands for a cell: of those on its row, the best blind score.

    Raises `InputError` for an unknown cell and for one without a finished training.
    """
    records = [
        {str(name): value for name, value in record.items()}
        for record in scored_runs(_cell(runs, key)).to_dict("records")
    ]
    keys = ranking_by(records, "blind/score") or [str(r["key"]) for r in records]
    if not keys:
        raise InputError.of("cell", "has no finished training", repr(key))
    return next(record for record in records if record["key"] == keys[0])


def _holder(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException:
        return None


def _register(
    client: MlflowClient,
    request: Request,
    run: Mapping[str, str],
    promotion: Promotion,
    folder: Path,
) -> int:
    """Upload the folder and return its version; the same model is registered only once."""
    try:
        client.create_registered_model(request.name)
    except MlflowException:
        client.get_registered_model(request.name)
    for version in client.search_model_versions(f"name = '{request.name}'"):
        if version.tags.get(DIGEST) == promotion.digest:
            return int(version.version)
    place = f"registered/{promotion.digest[:12]}"
    client.log_artifacts(run["run_id"], str(folder), place)
    tags = {f"uda.{name}": str(run[name]) for name in _TAGS} | {DIGEST: promotion.digest}
    if request.force and not promotion.passed:
        tags["uda.forced"] = clip(redact(request.force))
    made = client.create_model_version(
        request.name,
        source=f"{run['artifact_uri']}/{place}",
        run_id=run["run_id"],
        tags=tags,
        description=clip(promotion.card),
    )
    return int(made.version)
