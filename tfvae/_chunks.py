"""Work on a large array in chunks, on several threads."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

_CHUNK_BYTES = 2**20
_MIN_BYTES = 2**23  # smaller arrays are one chunk


def in_chunks(function: Callable[[slice], Any], array: np.ndarray) -> Iterator[Any]:
    """Calls a function with the rows of each chunk of an array that fits in the cache, on several threads.

    NumPy releases the interpreter lock in copies and reductions.

    Args:
        function: Function of a slice of the first axis.
        array: Array `[N, ...]`.

    Returns:
        The results in the order of the chunks.
    """
    if array.nbytes < _MIN_BYTES:
        return iter([function(slice(0, len(array)))])
    size = max(1, len(array) * _CHUNK_BYTES // array.nbytes)
    chunks = [slice(first, first + size) for first in range(0, len(array), size)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return threads.map(function, chunks)
