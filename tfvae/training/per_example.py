"""Measured values per example, stored so that two runs can be compared example by example."""

import hashlib
import io
import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tfvae._files import write_bytes
from tfvae._npz_reading import read_vectors

if TYPE_CHECKING:
    import numpy as np


class PerExample(NamedTuple):
    """Content of `per_example.npz`.

    Attributes:
        examples: SHA-256 of the evaluated examples after preprocessing.
        values: Values `[N]` in nats, by measure.
    """

    examples: str
    values: Mapping[str, Sequence[float]]


def write_per_example(path: str | os.PathLike[str], x: "np.ndarray", values: Mapping[str, "np.ndarray"]) -> Path:
    """Writes values `[N]` of the examples `x`, with a hash that identifies these examples."""
    import numpy as np

    buffer = io.BytesIO()
    arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
    np.savez_compressed(buffer, allow_pickle=False, examples=np.array(_digest(x)), **arrays)
    return write_bytes(path, buffer.getvalue())


def read_per_example(path: str | os.PathLike[str]) -> PerExample | None:
    """Reads the file of `write_per_example`, without NumPy. Returns None if it is missing or damaged."""
    try:
        arrays = read_vectors(path)
    except (OSError, ValueError):
        return None
    examples = arrays.pop("examples", None)
    if not isinstance(examples, str) or not all(isinstance(values, array) for values in arrays.values()):
        return None
    return PerExample(examples, {name: values for name, values in arrays.items() if isinstance(values, array)})


def _digest(x: "np.ndarray") -> str:
    import numpy as np

    ordered = np.ascontiguousarray(x)
    return hashlib.sha256(f"{ordered.shape}{ordered.dtype}".encode() + ordered.tobytes()).hexdigest()
