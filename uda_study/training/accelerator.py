"""The accelerator: which one computes, how much of its memory a process may take and took.

All calls of CUDA that decide something are made here, through ``cuda``, so that one fake of it
stands for a GPU in tests. Apple's ``mps`` is not supported: it has no memory fraction, no peak
counters, and no process group; such machines train on their CPU.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import torch

from uda_study.training.memory import return_memory

cuda = torch.cuda

CONTEXT_BYTES = 600 * 2**20
"""What a process takes of a GPU beside its tensors: driver context, kernels, library handles.

An allowance, not a limit; ``benchmarks/gpu.py`` measures it.
"""

_SMALLEST_FRACTION = 0.01
_PEAK = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")

# How PyTorch words what is no `torch.OutOfMemoryError` and yet a lack of the GPU's memory: a handle
# or a workspace that a library could not get, or no cuDNN plan whose workspace fits.
_WORDS = (
    "cuda out of memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "cusolver_status_alloc_failed",
    "unable to find an engine to execute this computation",
)


def device(gpus: float | None = None) -> torch.device:
    """Return where to compute: on the GPU if there is one and, where it is said, some was given."""
    wanted = gpus is None or gpus > 0
    return torch.device("cuda" if wanted and cuda.is_available() else "cpu")


def count() -> int:
    """Return how many GPUs this machine has."""
    return cuda.device_count() if cuda.is_available() else 0


def limit(device: torch.device, share: float) -> None:
    """Let this process take its share of the GPU's memory and no more; of the CPU's do nothing.

    Called before every training: a process that is handed on may have had another share. What
    allocators of earlier trainings keep is given back first, since it counts.
    """
    if device.type != "cuda":
        return
    release(device)
    own = share - CONTEXT_BYTES / total_bytes(device)
    fraction = 1.0 if share >= 1 else max(_SMALLEST_FRACTION, own)
    cuda.set_per_process_memory_fraction(fraction, _index(device))


def total_bytes(device: torch.device) -> int:
    """Return the GPU's memory; 0 for the CPU."""
    if device.type != "cuda":
        return 0
    return int(cuda.get_device_properties(_index(device)).total_memory)


def release(device: torch.device) -> None:
    """Give back what no tensor uses any more, of the host's memory and of the GPU's."""
    gc.collect()
    if device.type == "cuda":
        cuda.empty_cache()
    return_memory()


def begin_peak(device: torch.device) -> None:
    """Measure the peaks from here on."""
    if device.type == "cuda":
        cuda.reset_peak_memory_stats(_index(device))
    # Elsewhere than on Linux, or where it is not allowed, the peak is that of the whole process.
    with suppress(OSError):
        _RESET.write_text("5")  # proc_pid_clear_refs(5): VmHWM starts again from what is there


def costs(device: torch.device) -> dict[str, float]:
    """Return the peaks in bytes: ``cost/memory_bytes`` of the host, and on a GPU those of its own.

    ``cost/gpu_memory_bytes`` is what the allocator reserved at most, which is what a limit counts;
    ``cost/gpu_total_bytes`` the memory of this GPU.
    """
    found = {}
    if (host := _host_peak()) is not None:
        found["cost/memory_bytes"] = float(host)
    if device.type == "cuda":
        found["cost/gpu_memory_bytes"] = float(cuda.max_memory_reserved(_index(device)))
        found["cost/gpu_total_bytes"] = float(total_bytes(device))
    return found


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that the GPU's memory, or this process's share, is used up."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


def _index(device: torch.device) -> int:
    return device.index or 0


def _host_peak() -> int | None:
    try:
        lines = _PEAK.read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
