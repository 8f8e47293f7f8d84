"""Train what claims ask for, read what was measured, and judge it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import uda_study
from uda_study.claims.evidence import Evidence, NotMeasured
from uda_study.claims.finding import Finding
from uda_study.claims.instruments import measure
from uda_study.claims.ledger import FOLDER, Claim, study_path
from uda_study.engine.job import Home
from uda_study.engine.run import Options, run_study
from uda_study.engine.setup import Study, prepare_study
from uda_study.errors import StoreError, TrainingError
from uda_study.files import write_whole
from uda_study.study.runlog import StudyStatus
from uda_study.study.validate import load_study
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.query import cases_of, study_runs
from uda_study.tracking.store import open_store
from uda_study.types import JSON

FILE = "claims.json"


class Halted(TrainingError):
    """A study of a claim ended before it was complete; running the claim again goes on."""

    def __init__(self, study: str, status: StudyStatus) -> None:
        super().__init__(f"study {study} {status}; the same command goes on with it")
        self.status = status


@dataclass
class Runner:
    """Runs each study once, however many claims share it.

    ``say`` is told which study begins; ``options`` are those of a study's run; the study files lie
    in ``folder``.
    """

    home: Home
    say: Callable[[str], None]
    options: Options = field(default_factory=Options)
    folder: Path = FOLDER
    _tables: dict[str, tuple[Study, pd.DataFrame, pd.DataFrame]] = field(default_factory=dict)

    def judge(self, claims: Sequence[Claim]) -> Iterator[tuple[Claim, Finding]]:
        """Yield every claim with its verdict, written into the home's `FILE` first.

        Raises `Halted` for a study that does not end complete. What is finished already is not
        trained again.
        """
        for claim in claims:
            for name in claim.studies:
                if name not in self._tables:
                    self._tables[name] = self._run(name)
            finding = judged(claim, self._evidence(claim))
            ids = [self._tables[name][0].id for name in claim.studies]
            write_verdict(self.home.path, claim, finding, ids)
            yield claim, finding

    def _run(self, name: str) -> tuple[Study, pd.DataFrame, pd.DataFrame]:
        study = prepare_study(load_study(study_path(name, self.folder)), self.home)
        self.say(f"study {study.id}")
        outcome = run_study(study, self.home, MlflowRunLog(self.home.path), self.options)
        if outcome.status != "complete":
            raise Halted(study.id, outcome.status)
        client = open_store(self.home.path)
        runs = study_runs(client, study.id)
        return study, runs, cases_of(client, runs)

    def _evidence(self, claim: Claim) -> Evidence:
        studies, runs, cases = zip(*(self._tables[name] for name in claim.studies), strict=True)
        plain = Evidence(pd.concat(runs, ignore_index=True), pd.concat(cases, ignore_index=True))
        measured = [
            measure(name, study, self.home, of_study[of_study["key"].isin(_compared(claim, plain))])
            for name in claim.instruments
            for study, of_study in zip(studies, runs, strict=True)
        ]
        tables = [table for table in (plain.cases, *measured) if len(table)]
        return Evidence(plain.runs, pd.concat(tables, ignore_index=True))


def _compared(claim: Claim, evidence: Evidence) -> set[str]:
    """Return the trainings of the claim's arms; none if one of them is missing."""
    try:
        arms = [evidence.keys(arm, claim.rule.seeds) for arm in claim.rule.arms]
    except NotMeasured:
        return set()
    return {key for keys in arms for key in keys.values()}


def judged(claim: Claim, evidence: Evidence) -> Finding:
    """Apply the claim's rule; what was not measured makes it inconclusive."""
    try:
        return claim.rule.judge(evidence)
    except NotMeasured as lack:
        return Finding("inconclusive", {}, str(lack))


def write_verdict(home: Path, claim: Claim, finding: Finding, studies: Sequence[str]) -> None:
    """Put the verdict into the home's `FILE`, beside those of other claims."""
    verdicts = read_verdicts(home)
    verdicts[str(claim.number)] = {
        "claim": claim.claim,
        "verdict": finding.verdict,
        "sentence": finding.sentence,
        "figures": dict(finding.figures),
        "rule": claim.rule.model_dump(mode="json"),
        "studies": list(studies),
        "command": command(claim),
        "versions": {
            "uda-study": uda_study.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    ordered = {number: verdicts[number] for number in sorted(verdicts, key=int)}
    write_whole(home / FILE, json.dumps(ordered, indent=1) + "\n")


def read_verdicts(home: Path) -> dict[str, Mapping[str, JSON]]:
    """Return what is known of every claim that was run in this home, by its number."""
    path = home / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged; delete it and run the claims again") from error
    return dict(found)


def command(claim: Claim) -> str:
    """Return what runs the claim."""
    return f"uda-study claims run {claim.number}"
