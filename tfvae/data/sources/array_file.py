"""`.npy` and `.npz` files: their headers first, then the requested arrays, all without pickle."""

import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from tfvae._errors import quoted, reading, shortened
from tfvae._memory import require_memory
from tfvae.data.errors import DataError
from tfvae.data.sources.sparse_files import is_sparse_matrix, read_sparse_matrix

_ADVICE = (
    "It is damaged, or has Python objects, which tfvae does not load because unpickling runs code. Expected plain "
    "numeric arrays; save them again with numpy.save or numpy.savez."
)
_ENDING = ".npy"
_HEAD_BYTES = 2**20
# Measured: sorting 64 random bits an example holds the bits, the order and half of it as room to work in.
_ORDER_BYTES = 20
_LABEL_BYTES = 8  # labels become int64


class Form(NamedTuple):
    """The contents of the header of an array, and where its values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_rows: bool
    offset: int

    @property
    def num_bytes(self) -> int:
        """The size of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def loading_bytes(self, *, is_label: bool, cut: bool) -> int:
        """Returns the peak memory of loading the values, with the copies that loading makes.

        Args:
            is_label: Whether they are labels.
            cut: Whether other splits are cut off, which copies all values in a shuffled order.
        """
        examples, numbers = self.shape[0] if self.shape else 1, math.prod(self.shape)
        if is_label:
            return (2 if cut else 1) * self.num_bytes + _LABEL_BYTES * examples
        # Floats become float32, and two masks tell whether they are finite, zeros or ones; other numbers become uint8.
        cleaned = 0 if self.dtype in (np.dtype("u1"), np.dtype("?")) else numbers
        if self.dtype.kind == "f":
            cleaned = (2 if self.dtype == np.float32 else 6) * numbers
        return self.num_bytes + max(cleaned, self.num_bytes + _ORDER_BYTES * examples if cut else 0)


class ArrayFile(Mapping[str, np.ndarray]):
    """The arrays of a file by name, each read on access; the array of a `.npy` is called arr_0.

    So is a sparse matrix that `scipy.sparse.save_npz` wrote, which is read as a dense array.

    Args:
        path: The file.

    Attributes:
        forms: The shape and type of each array.

    Raises:
        DataError: If the file is missing, or cannot be read without pickle.
    """

    def __init__(self, path: Path):
        self.path = path
        if not os.path.isfile(path):
            raise DataError(
                f"There is no file {shortened(str(path))} (looked at {shortened(str(path.absolute()))}). Give the path "
                "of an existing .npy or .npz file."
            )
        with reading(path, _ADVICE, kind=DataError):
            with path.open("rb") as file:
                self.is_archive = file.read(2) == b"PK"
                file.seek(0)
                self.forms = (
                    _forms(file) if self.is_archive else {"arr_0": _form(file, os.fstat(file.fileno()).st_size)}
                )
            self.is_sparse = self.is_archive and is_sparse_matrix(self.forms)
            if self.is_sparse:
                with np.load(path, allow_pickle=False) as stored:
                    shape, dtype = tuple(map(int, stored["shape"])), self.forms["data"].dtype
                self.forms = {"arr_0": Form(shape, dtype, by_rows=False, offset=0)}

    def __getitem__(self, name: str) -> np.ndarray:
        self.require_memory({name: self.forms[name].num_bytes})
        if self.is_sparse:
            return read_sparse_matrix(self.path)
        with reading(self.path, _ADVICE, kind=DataError):
            stored = np.load(self.path, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                return stored
            with stored:
                return stored[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.forms)

    def __len__(self) -> int:
        return len(self.forms)

    def __contains__(self, name: object) -> bool:
        return name in self.forms

    def require_memory(self, sizes: Mapping[str, int]) -> None:
        """Raises MemoryError if arrays of these sizes in bytes need more memory than is free."""
        if self.is_sparse:  # has a limit of its own
            return
        advice = "Save it as .npy and train on shards of it: `tfvae data shard`."
        require_memory(sum(sizes.values()), f"Loading {self.path} ({', '.join(sizes)})", advice)

    def head(self, name: str) -> np.ndarray | None:
        """Reads the first megabyte of rows; None if the array has no more, or is not stored row by row."""
        shape, dtype, by_rows, _ = self.forms[name]
        row = dtype.itemsize * math.prod(shape[1:])
        count = max(1, _HEAD_BYTES // max(1, row))
        if not shape or count >= shape[0] or not by_rows:
            return None
        with reading(self.path, _ADVICE, kind=DataError), self.path.open("rb") as file:
            if self.is_archive:
                with zipfile.ZipFile(file) as archive, archive.open(name + _ENDING) as content:
                    return _values(content, self.forms[name], count)
            return _values(file, self.forms[name], count)

    def is_small(self, name: str) -> bool:
        """Whether reading the whole array is as fast as reading its first rows."""
        return self.forms[name].num_bytes <= _HEAD_BYTES

    def mapped(self) -> np.ndarray:
        """Returns the array of a `.npy`, which stays on disk until its values are used."""
        with reading(self.path, _ADVICE, kind=DataError):
            return np.load(self.path, mmap_mode="r", allow_pickle=False)


def _forms(file: IO[bytes]) -> dict[str, Form]:
    forms = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                if member.filename.endswith(_ENDING):
                    forms[member.filename.removesuffix(_ENDING)] = _form(content, member.file_size, member.filename)
    return forms


def _form(file: IO[bytes], size: int, member: str | None = None) -> Form:
    """Reads the header at the beginning of `file`, and checks that the values it declares are there."""
    where = "it" if member is None else f"its part {quoted(member)}"
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{where} has a header of version {version[0]}.{version[1]}, which is for named fields")
    shape, by_columns, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    form = Form(tuple(shape), dtype, not by_columns, file.tell())
    if dtype.hasobject:
        raise ValueError(
            f"{where} has Python objects, perhaps arrays of different lengths, which tfvae.data.pad makes one array of"
        )
    if any(type(length) is not int for length in shape):
        raise ValueError(f"{where} has a length that is not an integer in its shape, {quoted(form.shape)}")
    if any(length < 0 for length in shape):
        raise ValueError(f"{where} has a negative length in its shape, {quoted(form.shape)}")
    if form.num_bytes > size - form.offset:
        raise ValueError(
            f"{where} declares {quoted(form.num_bytes)} bytes, shape {quoted(form.shape)} of {dtype}, and has "
            f"{size - form.offset}"
        )
    return form


def _values(file: IO[bytes], form: Form, count: int) -> np.ndarray:
    """Reads the first rows of an array from the beginning of its file."""
    file.read(form.offset)
    shape = (count, *form.shape[1:])
    return np.frombuffer(file.read(form._replace(shape=shape).num_bytes), form.dtype).reshape(shape)
