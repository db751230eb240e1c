"""The measured values of single examples, kept so that two runs can be compared example by example."""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfvae._files import write_bytes


class PerExample(NamedTuple):
    """What `per_example.npz` holds.

    Attributes:
        examples: a SHA-256 of the examples that were measured, as the likelihood models them.
        values: by measure, `[N]`, nats.
    """

    examples: str
    values: Mapping[str, np.ndarray]


def write_per_example(path: str | os.PathLike[str], x: np.ndarray, values: Mapping[str, np.ndarray]) -> Path:
    """Writes values `[N]` of the examples `x`, with what tells whether another run measured the same examples."""
    buffer = io.BytesIO()
    arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
    np.savez_compressed(buffer, allow_pickle=False, examples=np.array(_digest(x)), **arrays)
    return write_bytes(path, buffer.getvalue())


def read_per_example(path: str | os.PathLike[str]) -> PerExample | None:
    """What `write_per_example` wrote; None for a run of an earlier version, and for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: np.asarray(file[name], np.float64) for name in file.files if name != "examples"}
            return PerExample(str(file["examples"]), values)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _digest(x: np.ndarray) -> str:
    array = np.ascontiguousarray(x)
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode() + array.tobytes()).hexdigest()
