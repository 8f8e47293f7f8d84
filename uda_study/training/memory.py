"""How processes that train hold on to memory, with the C library's own allocator on Linux."""

from __future__ import annotations

import ctypes
import gc
import platform

ALLOCATOR = {
    # glibc takes blocks above 32 MiB from the kernel, which fills them with zeros page by page,
    # and gives them back at once: up to two fifths of a training step. Kept in one heap for all
    # threads, they serve the next tensors (mallopt(3)). Read at the start of a process.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}


def return_memory() -> None:
    """Give back to the kernel what no tensor uses any more; elsewhere than on glibc do nothing."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
