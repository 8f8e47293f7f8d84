"""The loader that a registered model names, so that MLflow's own tools can use it too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uda_study.method import Method
from uda_study.training.package import load_package


class ServedModel:
    """Segments patches that were prepared as in training."""

    def __init__(self, method: Method[Any]) -> None:
        self._method = method

    def predict(
        self, model_input: NDArray[np.float32], params: dict[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """Map images ``(N, C, *S)`` to class probabilities ``(N, K, *S)``; takes no ``params``."""
        del params
        with torch.inference_mode():
            logits = self._method.segment(torch.as_tensor(model_input))
            probabilities: NDArray[np.float32] = torch.softmax(logits.float(), dim=1).numpy()
        return probabilities


def _load_pyfunc(path: str) -> ServedModel:
    """Open the package at ``path``; the name is MLflow's."""
    method, _ = load_package(Path(path))
    return ServedModel(method)
