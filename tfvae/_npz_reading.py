"""Reader of the small `.npz` files that tfvae writes, for commands that start without NumPy."""

import ast
import os
import struct
import sys
import zipfile
import zlib
from array import array
from pathlib import Path

_MAGIC, _NUM_MAGIC = b"\x93NUMPY\x01\x00", 8
_HEADER_SIZE = struct.Struct("<H")
_CHARACTER_BYTES = 4
_MAX_BYTES = 2**30
_DAMAGES = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, SyntaxError,
)  # fmt: skip


def read_vectors(path: str | os.PathLike[str]) -> dict[str, "array[float] | str"]:
    """Reads an `.npz` file of float64 vectors and texts.

    Returns:
        An `array.array` for each vector and a `str` for each text, by name.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is damaged, or contains other arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.file_size > _MAX_BYTES:
                    raise ValueError(f"{info.filename} declares {info.file_size:,} bytes")
            return {info.filename.removesuffix(".npy"): _value(archive.read(info)) for info in archive.infolist()}
    except _DAMAGES as error:
        raise ValueError(f"{Path(path)} is not an .npz file of vectors: {error}") from error


def _value(content: bytes) -> "array[float] | str":
    """Returns the array of an `.npy` file of format version 1.0: a header, padded, and the values."""
    if not content.startswith(_MAGIC):
        raise ValueError("it is not an .npy file of version 1.0")
    (length,) = _HEADER_SIZE.unpack_from(content, _NUM_MAGIC)
    start = _NUM_MAGIC + _HEADER_SIZE.size
    header, values = ast.literal_eval(_ascii(content[start : start + length])), content[start + length :]
    form = (header.get("descr"), header.get("shape")) if isinstance(header, dict) else (None, None)
    if form[1] == () and str(form[0]) == f"<U{len(values) // _CHARACTER_BYTES}":
        return values.decode("utf-32-le").rstrip("\0")
    numbers = array("d")
    if form[0] != "<f8" or form[1] != (len(values) // numbers.itemsize,):
        raise ValueError(f"it contains {form}, and not {len(values)} bytes of numbers")
    numbers.frombytes(values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _ascii(header: bytes) -> str:
    return header.decode("latin-1").strip()
