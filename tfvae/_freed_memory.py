"""Memory that steps free, and allocate again in the next step."""

import contextlib
import ctypes
import os

# Options of `mallopt` in <malloc.h> of the GNU C library, and their values.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST = 2**30
_LARGEST_OF_OLD_VERSIONS = 2**25
_PAD = 2**26  # the size of a heap of a thread, which then is never returned
_CHOSEN_BY_THE_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Lets the process keep the memory that it frees, instead of returning it to the system.

    A step without XLA, and a sum over processes, allocate and free buffers of the size of the gradients many times.
    Each time, the system would clear the pages again. The peak of the memory stays nearly the same. It must be called
    before TensorFlow starts its threads, whose heaps would have been created with other sizes.

    Returns:
        Whether the allocator was set: not if the C library is not GNU's, or if the environment sets its allocator.
    """
    if any(name in os.environ for name in _CHOSEN_BY_THE_USER):
        return False
    # Other systems have no such function, or no library of this process.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        is_set = mallopt(_MMAP_THRESHOLD, _LARGEST) or mallopt(_MMAP_THRESHOLD, _LARGEST_OF_OLD_VERSIONS)
        return bool(is_set and mallopt(_TRIM_THRESHOLD, _LARGEST) and mallopt(_TOP_PAD, _PAD))
    return False
