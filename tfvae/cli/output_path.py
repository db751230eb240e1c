"""The file that a command writes its numbers to."""

from pathlib import Path

from tfvae._targets import expanded, output_file

FORMATS = (".npz", ".csv")


def checked_output(path: Path | None) -> Path | None:
    """The path with its ending, `.npz` where it has none.

    Raises:
        ValueError: for an ending of a kind of file that is not written, and for a folder, a device or a pipe.
    """
    if path is None:
        return path
    if not path.name:
        raise ValueError(f"--output needs the name of a file. Received: --output {str(path)!r}.")
    output_file(expanded(path))
    if path.suffix.lower() in FORMATS:
        return path
    if path.suffix[1:2].isalpha():
        one_array = " A .npy file holds a single array, and here there are several." if path.suffix == ".npy" else ""
        raise ValueError(
            f"--output {path}: files of kind {path.suffix} are not written.{one_array} "
            f"Expected a name that ends in {' or '.join(FORMATS)}, or in neither, which is written as .npz."
        )
    if path.exists():
        raise ValueError(f"--output {path} exists, and ends in none of {', '.join(FORMATS)}. Give another name.")
    return path.with_name(path.name + ".npz")
