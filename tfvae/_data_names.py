"""Names of data sets and of files with tables, which settings need without NumPy."""

import os
from pathlib import Path

DATA_SETS = (
    "digits",
    "mnist",
    "fashion_mnist",
    "binarized_mnist",
    "frey_face",
    "caltech101_silhouettes",
    "omniglot",
)
"""The data sets that `tfvae.data.load` knows by name."""

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".dat")
COMPRESSIONS = (".gz", ".bz2", ".zip", ".xz", ".zst")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".feather")
"""The suffixes of files with tables; that of a compression may follow those of text."""


def is_table(path: str | os.PathLike[str]) -> bool:
    """Whether the name of a file is that of a table."""
    return suffix_of(Path(path)) in TABLE_SUFFIXES


def suffix_of(path: Path) -> str:
    """Returns the last suffix, without that of a compression."""
    suffix = path.suffix.lower()
    if suffix not in COMPRESSIONS:
        return suffix
    inner = Path(path.stem).suffix.lower()
    return inner if inner in TEXT_SUFFIXES else ""
