"""The leaderboard inside MLflow: as metrics of the cells' runs, and as a saved view of its table.

MLflow's pages take the filter, order and columns of a table from a tag of the experiment, which
their own button "Share" writes; a link names the tag. So the view of a study can be made here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from uda_study.study.board import Leaderboard, Row
from uda_study.study.board_frame import METRICS, row_values, verdict_of
from uda_study.tracking import names
from uda_study.tracking._mlflow import Metric, MlflowClient, RunTag
from uda_study.tracking.study_runs import search_runs

VIEW = "leaderboard"
_TAG = f"mlflow.sharedViewState.{VIEW}"
_ROLE, _VERDICT = "uda.role", "uda.verdict"
_COLUMNS = (
    "dice", "sd_seeds", "sd_subjects", "ci95_low", "ci95_high", *METRICS, "oracle", "gap",
    "recovered", "p_holm", "hours",
)  # fmt: skip
_DIGITS = 4
"""What a column of MLflow's table is wide enough for; the leaderboard's JSON has all digits."""


def publish(client: MlflowClient, board: Leaderboard, time: int) -> None:
    """Write the leaderboard of one study, by cell, onto its cells' runs; ``time`` in ms since 1970.

    The names are those of the leaderboard's JSON; what is unknown is left out. The saved view is at
    ``#/experiments/ID/runs?viewStateShareKey=leaderboard``. A study that is not in the store is
    passed over.
    """
    experiment = client.get_experiment_by_name(board.study)
    if experiment is None:
        return
    runs = {
        run.data.tags[names.CELL]: run.info.run_id
        for run in search_runs(client, [experiment.experiment_id])
        if run.data.tags.get(names.KIND) == names.CELL_KIND
    }
    for table in board.tables:
        for row in table.rows:
            if row.cell in runs:
                values = [Metric(name, value, time, 0) for name, value in _values(row)]
                tags = [RunTag(_ROLE, row.role), RunTag(_VERDICT, verdict_of(row))]
                client.log_batch(runs[row.cell], values, tags=tags, synchronous=True)
    client.set_experiment_tag(experiment.experiment_id, _TAG, json.dumps(_view()))


def _values(row: Row) -> Iterator[tuple[str, float]]:
    for name, value in row_values(row).items():
        if value is not None:
            yield name, round(float(value), _DIGITS)


def _view() -> dict[str, object]:
    tags = [f"tags.`{name}`" for name in ("uda.direction", _ROLE, _VERDICT)]
    columns = [*tags, "metrics.`rank`", *(f"metrics.`{name}`" for name in _COLUMNS)]
    return {
        "searchFilter": f"tags.`{names.KIND}` = '{names.CELL_KIND}'",
        "orderByKey": "metrics.`dice`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": columns,
    }
