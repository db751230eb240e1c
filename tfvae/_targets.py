"""Checks of paths for output files and folders, which follow symbolic links."""

import os
import shutil
import stat
from pathlib import Path

from tfvae._errors import quoted, reason, shortened

_MAX_LINKS = 40  # as in Linux


def output_file(path: str | os.PathLike[str]) -> Path:
    """Returns the path at which a file will be written, with symbolic links resolved, even to files that do not exist.

    Raises:
        ValueError: If the path is a folder, a device, a pipe or a socket, or if its folder is not writable.
    """
    target = _resolve_links(Path(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise ValueError(f"{_displayed(path)} is {kind}. Expected the path of a new file or of a file to replace.")
    _require_writable(target.parent, path)
    return target


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a new or existing output folder, with symbolic links resolved.

    Raises:
        ValueError: If the path is not a folder, or if a folder cannot be created there.
    """
    target = _resolve_links(Path(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISDIR(mode):
        raise ValueError(f"{_displayed(path)} is not a folder. Expected the path of a new or existing folder.")
    _require_writable(target if mode is not None else target.parent, path)
    return target


def expanded(path: str | os.PathLike[str], *, kind: type[ValueError] = ValueError) -> Path:
    """Returns the path with `~` replaced by the home folder.

    Args:
        path: Path given by the user.
        kind: Type of the error.

    Raises:
        ValueError: Of type `kind`, if the user of `~user` does not exist, or if `path` is not a path.
    """
    try:
        if "\0" in os.fspath(path):
            raise ValueError("it contains a null character")
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:
        raise kind(f"{quoted(os.fspath(path))} is not a path: {reason(error)}.") from error


def require_space(path: str | os.PathLike[str], num_bytes: int) -> None:
    """Raises an error if the disk does not have enough space for a file at `path`.

    Raises:
        ValueError: If the free space is below `num_bytes`.
    """
    folder = next(parent for parent in _resolve_links(Path(path)).parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ValueError(
            f"{_displayed(path)} would need {size_text(num_bytes)}, but {folder} has only {size_text(free)} free. "
            "Request fewer examples, or write to another disk. Nothing was written."
        )


def size_text(num_bytes: int) -> str:
    """Formats a size for a message, such as "1.4 GB"."""
    for exponent, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if num_bytes >= 10**exponent:
            return f"{num_bytes / 10**exponent:,.1f} {unit}"
    return f"{num_bytes} bytes"


def _resolve_links(path: Path) -> Path:
    """Returns the absolute path at the end of a chain of symbolic links."""
    given = path
    for _ in range(_MAX_LINKS):
        path = Path(os.path.realpath(path.parent), path.name)
        if path.parts[1:2] == ("proc",):  # such as /dev/stdout
            raise ValueError(f"{_displayed(given)} is not on a disk. Use another path.")
        try:
            path = path.parent / path.readlink()
        except OSError:  # not a link
            return path
    raise ValueError(f"{_displayed(given)} is a symbolic link to itself. Use another path.")


def _displayed(path: str | os.PathLike[str]) -> str:
    return shortened(os.fspath(path))


def _mode(path: Path) -> int | None:
    """Returns the mode of the file at `path`, or None if there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{_displayed(path)} cannot be written: {error.strerror}. Use another path.") from error


def _require_writable(folder: Path, path: str | os.PathLike[str]) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if _mode(parent) is not None)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        problem = "the folder is not writable" if existing.is_dir() else "it is not a folder"
        raise ValueError(f"{_displayed(path)} cannot be written in {existing}: {problem}. Use another path.")
