"""Incremental writer of `.npz` files larger than memory."""

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy

from tfvae._errors import reason
from tfvae._files import replacing
from tfvae._targets import output_file

# At the default level, sampled pixels take seven times as long to compress, and other floats compress hardly better.
_COMPRESS_LEVEL = 1
_COPY_BYTES = 2**20


class NpzWriter:
    """Context manager that writes an `.npz` file incrementally; `np.load` reads it like a file of `np.savez`.

    Until the block ends, rows are stored uncompressed in unnamed temporary files in the target's folder. They disappear
    with the process, even if it is killed. An existing file at `path` is kept until the new file is complete.

    Args:
        path: Path of the file. Its folder is created if needed. Symbolic links are followed.

    Raises:
        ValueError: If `path` is not a regular file. `add` raises it if arrays do not match.

    Example:
        >>> with NpzWriter("latents.npz") as file:  # doctest: +SKIP
        ...     for x in batches:
        ...         file.add(z=vae.encode(x).mean())
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._folder = output_file(path).parent
        self._files: dict[str, IO[bytes]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The current shapes of the arrays, in the order in which they were added."""
        return dict(self._shapes)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, **parts: Any) -> None:
        """Appends rows `[n, ...]` to the named arrays."""
        arrays = {name: np.asarray(part, order="C") for name, part in parts.items()}
        if len({len(rows) for rows in arrays.values()}) > 1 or any(rows.dtype.hasobject for rows in arrays.values()):
            found = ", ".join(f"{name} {rows.dtype}{list(rows.shape)}" for name, rows in arrays.items())
            raise ValueError(
                f"The arrays of {self.path} must have the same number of rows, of numbers or text. Received: {found}"
            )
        for name, rows in arrays.items():
            if name not in self._files:
                self._files[name] = tempfile.TemporaryFile(dir=self._folder)
                self._dtypes[name], self._shapes[name] = rows.dtype, (0, *rows.shape[1:])
            num_rows, *event = self._shapes[name]
            if rows.dtype != self._dtypes[name] or rows.shape[1:] != tuple(event):
                raise ValueError(
                    f"The array {name} of {self.path} must have rows of shape {tuple(event)} and dtype "
                    f"{self._dtypes[name]}. Received: rows of shape {rows.shape[1:]} and dtype {rows.dtype}"
                )
            with self._reporting_path():
                self._files[name].write(rows.data)
            self._shapes[name] = (num_rows + len(rows), *event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with self._reporting_path():
                    self._finish()
        finally:
            for file in self._files.values():
                file.close()

    @contextlib.contextmanager
    def _reporting_path(self) -> Iterator[None]:
        """Context manager that adds the path to errors of the disk, because temporary files have no name."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{self.path} cannot be written: {reason(error)}. An existing file was not changed."
            ) from error

    def _finish(self) -> None:
        with (
            replacing(self.path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESS_LEVEL) as archive,
        ):
            for name, rows in self._files.items():
                header = {
                    "descr": npy.dtype_to_descr(self._dtypes[name]),
                    "fortran_order": False,
                    "shape": self._shapes[name],
                }
                rows.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array_header_1_0(member, header)
                    shutil.copyfileobj(rows, member, _COPY_BYTES)
                rows.close()  # frees its disk space
