"""Pauses of Python's garbage collector."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused_collections() -> Iterator[None]:
    """Context manager without collections of reference cycles, for code that creates many objects that stay.

    Imports and traces of TensorFlow create hundreds of thousands of objects, among which Python would search for cycles
    again and again, in vain. A third of the time of importing TensorFlow goes into this.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
