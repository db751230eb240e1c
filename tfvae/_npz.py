"""`.npz` files larger than memory: arrays that grow on disk row by row, and go into the archive when they are whole."""

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

# At zlib's default level, draws of pixels take seven times as long to compress, and other floats hardly get smaller.
_COMPRESS_LEVEL = 1
_COPY_BYTES = 2**20


class NpzWriter:
    """A context manager that writes an `.npz` file as its arrays are made; `np.load` reads what `np.savez` would write.

    Until the block ends, rows lie in files without names in the target's folder, at their full size: nothing is left of
    them however the process ends. Whatever stands at `path` stays until the new file is complete.

    Args:
        path: the file; its folder is made where there is none. A symbolic link is followed.

    Raises:
        ValueError: for a path that is no regular file; and from `add`, for parts that do not go together.

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
        """The shapes of the arrays so far, in the order in which they came."""
        return dict(self._shapes)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, **parts: Any) -> None:
        """Appends rows `[n, ...]` to the arrays of these names."""
        arrays = {name: np.asarray(part, order="C") for name, part in parts.items()}
        if len({len(rows) for rows in arrays.values()}) > 1 or any(rows.dtype.hasobject for rows in arrays.values()):
            found = ", ".join(f"{name} {rows.dtype}{list(rows.shape)}" for name, rows in arrays.items())
            raise ValueError(f"{self.path} takes as many rows of each array, of numbers or text. Received: {found}.")
        for name, rows in arrays.items():
            if name not in self._files:
                self._files[name] = tempfile.TemporaryFile(dir=self._folder)
                self._dtypes[name], self._shapes[name] = rows.dtype, (0, *rows.shape[1:])
            num_rows, *event = self._shapes[name]
            if rows.dtype != self._dtypes[name] or rows.shape[1:] != tuple(event):
                raise ValueError(
                    f"{name} of {self.path} has rows of shape {tuple(event)} and dtype {self._dtypes[name]}. "
                    f"Received rows of shape {rows.shape[1:]} and dtype {rows.dtype}."
                )
            with self._naming_file():
                self._files[name].write(rows.data)
            self._shapes[name] = (num_rows + len(rows), *event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with self._naming_file():
                    self._finish()
        finally:
            for file in self._files.values():
                file.close()

    @contextlib.contextmanager
    def _naming_file(self) -> Iterator[None]:
        """Errors of the disk name the file; what is written to has no name of its own."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{self.path} cannot be written: {reason(error)}. What stood there before is as it was."
            ) from error

    def _finish(self) -> None:
        with (
            replacing(self.path) as beside,
            zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESS_LEVEL) as archive,
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
                rows.close()  # and with it goes the room it took
