"""Errors for names and paths that no source can read."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfvae._errors import quoted, reason
from tfvae.data.errors import DataError
from tfvae.data.sources.image_files import SUFFIXES

_TABLES = {".xlsx": "pandas.read_excel(PATH)", ".json": "pandas.read_json(PATH)"}


def unreadable(text: str, path: Path) -> DataError:
    """Makes the error for a path of something else."""
    if path.is_dir():
        return DataError(
            f"The folder {text} has no shards and no images. Expected images ({', '.join(SUFFIXES)}), or shards as "
            "`tfvae data shard DATA FOLDER` writes them."
        )
    if path.suffix.lower() in SUFFIXES:
        return DataError(f"{text} is a single file. Give the folder of all images: {path.absolute().parent}.")
    if path.suffix.lower() in _TABLES:
        return DataError(
            f"{text} exists but cannot be read. Tables in {path.suffix} files are not read yet; save it as .csv or "
            f".parquet: {_TABLES[path.suffix.lower()]}.to_csv('data.csv', index=False)."
        )
    what = f"Files ending in {path.suffix!r} are" if path.suffix else "Files without a suffix are"
    return DataError(
        f"{text} exists but cannot be read. {what} not read yet; save a table as .csv or .parquet, and arrays of "
        "numbers as .npy or .npz, with the examples along the first axis: numpy.save('data.npy', array)."
    )


def unknown(text: str, names: Iterable[str]) -> DataError:
    """Makes the error for a name that is neither one of the known names nor a path that exists."""
    near = difflib.get_close_matches(text[:100], names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return DataError(
        f"There is no data set named {quoted(text)}.{hint} Expected one of {', '.join(names)}; tfds:NAME for an "
        "image data set of TensorFlow Datasets; the path of a table, such as a .csv file, or of a .npy or .npz file; "
        f"or a folder of images or of shards. Received: name={quoted(text)}"
    )


@contextlib.contextmanager
def reporting_unreadable(text: str) -> Iterator[None]:
    """Turns errors of the file system into a DataError: a name that is too long, a folder that may not be read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"The data {quoted(text)} cannot be read: {reason(error)}. Give another path.") from error
