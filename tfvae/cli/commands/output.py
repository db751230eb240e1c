"""Output of commands: messages, arrays and pictures."""

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._csv import CsvWriter, column_names
from tfvae._display import Display
from tfvae._files import write_bytes
from tfvae._images import beside, tile
from tfvae._npz import NpzWriter
from tfvae._targets import require_space, size_text
from tfvae.cli.commands.saying import say
from tfvae.cli.output_path import TABLES

if TYPE_CHECKING:
    import pandas as pd

_LARGE_OUTPUT_BYTES = 10**8


def write_arrays(path: Path, parts: Iterable[dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Writes parts one by one as .csv or .npz, or together as another table. Returns the path and the first part.

    In tables, an array `[N]` is a column, and arrays with more axes are the columns `name_0`, `name_1`, and so on.
    """
    if path.suffix.lower() in TABLES:
        return _write_tables(path, list(parts))
    first: dict[str, Any] = {}
    with CsvWriter(path) if path.suffix.lower() == ".csv" else NpzWriter(path) as file:
        for part in parts:
            first = first or part
            file.add(**part)
    say(f"{file.path}: {', '.join(f'{name} {shape}' for name, shape in file.shapes.items())}")
    return file.path, first


def _write_tables(path: Path, parts: list[dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    import pandas as pd

    frames = []
    for part in parts:
        arrays = {name: np.asarray(array) for name, array in part.items()}
        titles = [title for name, rows in arrays.items() for title in column_names(name, rows)]
        columns = [column for rows in arrays.values() for column in rows.reshape(len(rows), -1).T]
        frames.append(pd.DataFrame(dict(zip(titles, columns, strict=True))))
    write_frame(path, pd.concat(frames, ignore_index=True))
    return path, parts[0]


def write_frame(path: Path, frame: "pd.DataFrame") -> None:
    """Writes a table as .csv, .tsv, .parquet or .feather, and says so."""
    buffer = io.BytesIO()
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        frame.to_parquet(buffer, index=False)
    elif suffix == ".feather":
        frame.to_feather(buffer)
    else:
        frame.to_csv(buffer, index=False, sep="\t" if suffix == ".tsv" else ",")
    say(f"{write_bytes(path, buffer.getvalue())}: {len(frame):,} rows of {len(frame.columns)} columns")


def announced(path: Path, parts: Iterable[dict[str, Any]], num_examples: int) -> Iterator[dict[str, Any]]:
    """Yields the parts after checking that the disk has room for `num_examples` examples like those of the first part.

    Raises:
        ValueError: If the disk is too full. Nothing has been written then.
    """
    parts = iter(parts)
    for first in parts:
        arrays = [np.asarray(array) for array in first.values()]
        num_bytes = sum(array.nbytes for array in arrays) * num_examples // max(1, len(arrays[0]))
        require_space(path, num_bytes)
        if num_bytes >= _LARGE_OUTPUT_BYTES:
            say(f"writing {size_text(num_bytes)}")
        yield first
        yield from parts


def write_picture(path: Path, picture: np.ndarray, words: str = "") -> None:
    """Writes a PNG to `path` with the suffix `.png`, and prints `words`, which explain the picture."""
    buffer = io.BytesIO()
    _save_png(buffer, picture)
    written = write_bytes(path.with_suffix(".png"), buffer.getvalue())
    say(f"{written}: {words}" if words else str(written))


def write_picture_of_samples(path: Path, means: np.ndarray) -> None:
    """Writes the picture beside an output of `tfvae sample`: the first 100 means of p(x|z)."""
    means = np.asarray(means[:100])
    display = Display.of(means)
    write_picture(path, tile(display.pictures(means)), display.caption())


def write_picture_of_reconstructions(path: Path, x: np.ndarray, means: np.ndarray, *, missing: bool = False) -> None:
    """Writes the picture beside an output of `tfvae reconstruct`: the first 40 examples and their means of p(x|z)."""
    x, means = np.asarray(x[:40]), np.asarray(means[:40])
    display = Display.of(x)
    write_picture(path, beside(display.pictures(x, missing=missing), display.pictures(means), 10), display.caption())


def _save_png(buffer: io.BytesIO, picture: np.ndarray) -> None:
    from matplotlib import image

    factor = max(1, 800 // max(picture.shape[:2]))  # enlarge small images until their pixels are visible
    enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1).squeeze()
    image.imsave(buffer, enlarged, format="png", cmap="gray", vmin=0, vmax=255)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Prints warnings meant for users as one sentence, without the line of code they come from."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
            if category is UserWarning:
                say(f"warning: {message}")
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield
