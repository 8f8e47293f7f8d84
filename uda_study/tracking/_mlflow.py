"""MLflow as the rest of this package uses it: imported once, quiet, without pickles or telemetry.

Importing this module takes about a second.
"""

from __future__ import annotations

import logging
import os
import warnings

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
    MLFLOW_UV_AUTO_DETECT="false",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
)
# A server that does not answer must not hold a study up for minutes, which is the default.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

with warnings.catch_warnings():
    # SQLAlchemy 2.1 deprecates a loader that MLflow 3.17 uses; nothing a user can act on.
    warnings.simplefilter("ignore")
    from mlflow.artifacts import download_artifacts
    from mlflow.entities import Experiment, Metric, Param, Run, RunTag
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking import MlflowClient
    from mlflow.types import Schema, TensorSpec
    from sqlalchemy.exc import SQLAlchemyError

for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)

__all__ = [
    "Experiment", "Metric", "MlflowClient", "MlflowException", "ModelSignature", "ModelVersion",
    "Param", "Run", "RunTag", "SQLAlchemyError", "Schema", "SqlAlchemyStore", "TensorSpec",
    "download_artifacts", "save_model",
]  # fmt: skip
