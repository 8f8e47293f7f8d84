"""Run a study file on the Ray that this machine belongs to; what is printed is how it ended."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from uda_study.api.beginning import checked, read
from uda_study.data.prune import in_use
from uda_study.engine.job import Home
from uda_study.engine.run import Options, run_study
from uda_study.tracking.log import MlflowRunLog

file, *settings = sys.argv[1:]
home = Home(Path(os.environ["UDA_STUDY_HOME"]))
home.create()
with in_use(home.prepared):
    study = checked(read(Path(file), settings), home)
    outcome = run_study(study, home, MlflowRunLog(home.path), Options(address="auto"))
sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
