"""Check of the file that a command writes its arrays to."""

from pathlib import Path

from tfvae._targets import expanded, output_file

FORMATS = (".npz", ".csv")
ANNDATA = ".h5ad"
TABLES = (".tsv", ".parquet", ".feather")


def checked_output(path: Path | None, *, is_table: bool = False, is_counts: bool = False) -> Path | None:
    """Returns the path with its suffix, which is `.npz` by default.

    Args:
        path: The path, or None.
        is_table: Whether the output may be a table of any format.
        is_counts: Whether the output may be an AnnData file.

    Raises:
        ValueError: If the suffix is not a supported format, or the path is a folder, a device or a pipe.
    """
    if path is None:
        return path
    if not path.name:
        raise ValueError(f"--output must be the name of a file. Received: --output {str(path)!r}")
    output_file(expanded(path))
    formats = (*FORMATS, *(TABLES if is_table else ()), *((ANNDATA,) if is_counts else ()))
    if path.suffix.lower() in formats:
        return path
    if path.suffix[1:2].isalpha():
        one_array = (
            " A .npy file stores a single array, and this command writes several." if path.suffix == ".npy" else ""
        )
        raise ValueError(
            f"--output must end in {' or '.join(formats)}, or have no suffix for .npz.{one_array} "
            f"Received: --output {path}"
        )
    if path.exists():
        raise ValueError(f"--output {path} exists and does not end in {' or '.join(formats)}. Give another name.")
    return path.with_name(path.name + ".npz")
