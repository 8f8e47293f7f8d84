import pytest
import torch

from uda_study.testing.fake_cuda import FakeCuda
from uda_study.training import accelerator

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CONTEXT = accelerator.CONTEXT_BYTES / (80 * 2**30)


@pytest.fixture
def cuda(monkeypatch) -> FakeCuda:
    fake = FakeCuda()
    monkeypatch.setattr(accelerator, "cuda", fake)
    return fake


@pytest.mark.parametrize(
    ("available", "gpus", "expected"),
    [(True, None, "cuda"), (True, 0.25, "cuda"), (True, 0.0, "cpu"), (False, 1.0, "cpu")],
)
def test_the_gpu_computes_where_one_is_there_and_given(cuda, available, gpus, expected):
    cuda.available = available
    assert accelerator.device(gpus).type == expected
    assert accelerator.count() == int(available)


def test_a_share_limits_tensors_to_what_the_context_leaves(cuda):
    accelerator.limit(GPU, 0.25)
    assert cuda.calls == [("empty",), ("fraction", pytest.approx(0.25 - CONTEXT), 0)]


def test_every_training_sets_its_own_limit(cuda):
    for share in (0.25, 1.0, 2.0, 0.5):
        accelerator.limit(torch.device("cuda", 3), share)
    fractions = [call for call in cuda.calls if call[0] == "fraction"]
    assert [index for _, _, index in fractions] == [3] * 4
    assert [f for _, f, _ in fractions] == pytest.approx([0.25 - CONTEXT, 1, 1, 0.5 - CONTEXT])


def test_a_share_of_a_small_gpu_is_never_nothing(cuda):
    cuda.total = 2**30
    accelerator.limit(GPU, 0.125)
    assert cuda.calls[-1] == ("fraction", 0.01, 0)


def test_a_cpu_has_no_limit_and_no_peak_of_a_gpu(cuda):
    accelerator.limit(CPU, 0.25)
    accelerator.begin_peak(CPU)
    assert set(accelerator.costs(CPU)) <= {"cost/memory_bytes"}
    assert cuda.calls == []


def test_peaks_are_those_since_the_training_began(cuda):
    cuda.peak = 7
    accelerator.begin_peak(GPU)
    cuda.peak = 5
    found = accelerator.costs(GPU)
    assert found["cost/gpu_memory_bytes"] == 5.0
    assert found["cost/gpu_total_bytes"] == 80 * 2**30
    assert cuda.calls == [("reset", 0)]


@pytest.mark.skipif(not accelerator._RESET.exists(), reason="peaks are reset on Linux alone")
def test_the_hosts_peak_forgets_what_was_before():
    taken = torch.ones(64 << 20, dtype=torch.uint8)
    high = accelerator.costs(CPU)["cost/memory_bytes"]
    del taken
    accelerator.release(CPU)
    accelerator.begin_peak(CPU)
    assert accelerator.costs(CPU)["cost/memory_bytes"] < high - (32 << 20)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), False),
        (ValueError("CUDA out of memory"), False),
    ],
)
def test_errors_of_the_gpus_memory_are_told_from_others(error, expected):
    assert accelerator.is_out_of_memory(error) is expected
