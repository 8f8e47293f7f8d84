"""Weights in a file that can be opened without running code, and checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import save_file
from torch import nn


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's state dict as safetensors."""
    # Copies: the format refuses tensors that share storage.
    state = {k: v.detach().cpu().clone().contiguous() for k, v in module.state_dict().items()}
    save_file(state, path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
