"""What a GPU does with shares, with too little memory, and with several trainings at once.

    python benchmarks/gpu.py [SUBJECTS]

On a machine with a GPU: (a) a process of a share is refused more than its share, and what a process
takes beside its tensors is printed; (b) a training of a CycleGAN that its share does not hold is
done in parts and compared with the same training on the whole GPU; (c) a study of SUBJECTS
phantoms (default 8) is run with one training per GPU and with `gpu: auto`; peaks, shares, trainings
at once and the ratio of the times are printed. Without a GPU it says so and ends.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from uda_study.engine.job import Home
from uda_study.engine.run import Options, run_study
from uda_study.engine.setup import prepare_study
from uda_study.errors import OutOfMemory
from uda_study.methods.cyclegan import Cyclegan
from uda_study.study.validate import load_study
from uda_study.testing.fakes import MemoryRunLog
from uda_study.testing.method_run import RandomDraws
from uda_study.training import accelerator
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

GPU = torch.device("cuda")
GIB = 2**30
SHARE = 0.25
STEPS = 5

STUDY = """\
version: 1
name: packed
method: dam
matrix: {{direction: [mr->ct], dam.depth: [g2]}}
data: {{dataset: phantom, options: {{subjects: {subjects}, shape: [64, 64, 16]}}}}
search: {{alg: random, num_samples: 8, seed: 0}}
scheduler: {{type: none}}
confirm: {{seeds: [1]}}
baselines: []
resources: {{gpu: {gpu}}}
parameters:
  optim.lr: {{type: float, low: 1e-5, high: 1e-3, log: true}}
  segmenter.steps: 300
  critic.warm_up: 20
  steps: 300
"""


def shares() -> None:
    """Print what a process may take of a share, and what its context takes."""
    torch.zeros(1, device=GPU)
    free, total = torch.cuda.mem_get_info()
    context = total - free - torch.cuda.memory_reserved()
    print(f"in use beside tensors, all processes  {context / 2**20:6.0f} MiB", end="")
    print(f"   (allowance {accelerator.CONTEXT_BYTES / 2**20:.0f} MiB)")
    accelerator.limit(GPU, SHARE)
    for part in (0.8, 1.05):
        try:
            torch.empty(int(part * SHARE * total), dtype=torch.uint8, device=GPU)
            said = "given"
        except torch.OutOfMemoryError as error:
            said = f"refused (recognised: {accelerator.is_out_of_memory(error)})"
        print(f"{part:4.2f} of a share of {SHARE}               {said}")
        accelerator.release(GPU)
    accelerator.limit(GPU, 1.0)


def cyclegan(batch_size: int, side: int, parts: int) -> tuple[list[dict[str, float]], float]:
    """Return the losses of a few steps, and the GiB reserved at most."""
    task = Task(2, 1, ("background", "organ"), (side, side), (1.0, 1.0))
    torch.manual_seed(0)
    hyper = {"batch_size": batch_size, "cycle": {"pool_size": 0}}
    method = Cyclegan(Cyclegan.Hyper.model_validate(hyper), task).to(GPU)
    stage = method.stages()[-1]
    begin_stage(stage, 0)
    stepper = Stepper(stage.trainable, stage.name, parts=parts)
    draw = RandomDraws(task, stage, samples=batch_size)
    accelerator.begin_peak(GPU)
    trace = []
    for _ in range(STEPS):
        losses = stepper.step(lambda: draw().to(GPU))
        trace.append({name: float(loss) for name, loss in losses.items()})
    return trace, accelerator.costs(GPU)["cost/gpu_memory_bytes"] / GIB


def retry() -> None:
    """Print in how many parts a share holds a batch, and how far the losses then differ."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    batch, side = 8, 256
    whole, peak = cyclegan(batch, side, 1)
    share = 0.7 * peak * GIB / accelerator.total_bytes(GPU)
    share += accelerator.CONTEXT_BYTES / accelerator.total_bytes(GPU)
    parts = 1
    while parts <= batch:
        accelerator.limit(GPU, share)
        try:
            found, less = cyclegan(batch, side, parts)
            break
        except OutOfMemory as error:
            print(f"{parts} parts: {error.where} is not held")
        parts *= 2
    else:
        print("even single samples are not held")
        return
    accelerator.limit(GPU, 1.0)
    pairs = zip(whole, found, strict=True)
    worst = max(abs(a[n] - b[n]) / max(1e-3, abs(a[n])) for a, b in pairs for n in a)
    print(f"whole batch  {peak:6.2f} GiB;  {parts} parts  {less:6.2f} GiB")
    print(f"largest relative difference of a loss in {STEPS} steps  {worst:.1e}")


def packed(folder: Path, subjects: int, gpu: str) -> tuple[float, list[dict[str, Any]]]:
    """Return the seconds of a study and the scores of its trainings."""
    file = folder / f"{gpu}.yaml"
    file.write_text(STUDY.format(subjects=subjects, gpu=gpu))
    home, log = Home(folder / f"home-{gpu}"), MemoryRunLog()
    home.create()
    study = prepare_study(load_study(file, []), home)
    most = 0

    def watch(_: Any) -> None:
        nonlocal most
        most = max(most, len(log.started) - len(log.finished))

    started = time.monotonic()
    outcome = run_study(study, home, log, Options(watch=watch))
    seconds = time.monotonic() - started
    print(f"gpu: {gpu:5} {outcome.status}, {seconds:6.1f} s, at most {most} trainings at once")
    return seconds, [dict(result.scores) for result in log.finished.values()]


def main() -> None:
    """Run all three."""
    if not torch.cuda.is_available():
        print("no GPU that CUDA sees: nothing to measure")
        return
    print(torch.cuda.get_device_name(), f"{accelerator.total_bytes(GPU) / GIB:.0f} GiB")
    shares()
    retry()
    accelerator.release(GPU)
    with tempfile.TemporaryDirectory() as folder:
        subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 8
        alone, _ = packed(Path(folder), subjects, "1")
        together, scores = packed(Path(folder), subjects, "auto")
    for one in scores:
        peak = one.get("cost/gpu_memory_bytes", 0.0) / GIB
        share, parts = one.get("cost/gpu_share", 0.0), one.get("cost/accumulation", 1.0)
        print(f"peak {peak:6.2f} GiB  share {share:.4f}  parts {parts:.0f}")
    print(f"time of one training per GPU / time packed  {alone / together:.2f}")


if __name__ == "__main__":
    main()
