"""Measured values per example, stored so that two runs can be compared example by example."""

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
    """Content of `per_example.npz`.

    Attributes:
        examples: SHA-256 of the evaluated examples after preprocessing.
        values: Values `[N]` in nats, by measure.
    """

    examples: str
    values: Mapping[str, np.ndarray]


def write_per_example(path: str | os.PathLike[str], x: np.ndarray, values: Mapping[str, np.ndarray]) -> Path:
    """Writes values `[N]` of the examples `x`, with a hash that identifies these examples."""
    buffer = io.BytesIO()
    arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
    np.savez_compressed(buffer, allow_pickle=False, examples=np.array(_digest(x)), **arrays)
    return write_bytes(path, buffer.getvalue())


def read_per_example(path: str | os.PathLike[str]) -> PerExample | None:
    """Reads the file of `write_per_example`. Returns None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: np.asarray(file[name], np.float64) for name in file.files if name != "examples"}
            return PerExample(str(file["examples"]), values)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _digest(x: np.ndarray) -> str:
    array = np.ascontiguousarray(x)
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode() + array.tobytes()).hexdigest()
