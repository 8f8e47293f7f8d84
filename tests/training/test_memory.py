import os
import platform
import subprocess
import sys

import pytest

from uda_study.training.memory import ALLOCATOR

_KEEPS_THEN_RETURNS = """
import torch
from pathlib import Path
from uda_study.training.memory import return_memory

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 >> 20

before = resident()
tensors = [torch.ones(1 << 24) for _ in range(4)]
del tensors
kept = resident()
return_memory()
print(kept - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an allocator of another library")
def test_freed_memory_is_kept_until_it_is_returned():
    command = [sys.executable, "-c", _KEEPS_THEN_RETURNS]
    done = subprocess.run(command, env=os.environ | ALLOCATOR, capture_output=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept >= 250
    assert left <= 20
