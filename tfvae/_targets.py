"""Where files and folders are written: checked before any work, with symbolic links followed."""

import os
import shutil
import stat
from pathlib import Path

from tfvae._errors import quoted, reason, shortened

_MOST_LINKS = 40  # as Linux itself


def output_file(path: str | os.PathLike[str]) -> Path:
    """Where a file of this name is written: symbolic links are followed, also to what does not exist yet.

    Raises:
        ValueError: for a folder, and for a device, a pipe or a socket, which a file must not replace; and where the
            folder cannot be written into.
    """
    target = _followed(Path(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise ValueError(f"{_shown(path)} is {kind}. Give the name of a file, new or to be replaced.")
    _require_writable(target.parent, path)
    return target


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Where a folder of this name is made, or is already: symbolic links are followed.

    Raises:
        ValueError: for what is no folder, and where none can be made.
    """
    target = _followed(Path(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISDIR(mode):
        raise ValueError(f"{_shown(path)} is not a folder. Give the name of a folder, new or existing.")
    _require_writable(target if mode is not None else target.parent, path)
    return target


def expanded(path: str | os.PathLike[str], *, kind: type[ValueError] = ValueError) -> Path:
    """The path with the home folder in place of `~`.

    Args:
        path: as a user gave it.
        kind: of the error.

    Raises:
        ValueError: of type `kind`, for the home folder of a user who does not exist, and for what is no path.
    """
    try:
        if "\0" in os.fspath(path):
            raise ValueError("it holds a zero character")
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:
        raise kind(f"{quoted(os.fspath(path))} is not a path: {reason(error)}.") from error


def require_space(path: str | os.PathLike[str], num_bytes: int) -> None:
    """Checks that the disk has room for what is going to be written to `path`.

    Raises:
        ValueError: with the size and what is free.
    """
    folder = next(parent for parent in _followed(Path(path)).parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise ValueError(
            f"{_shown(path)} would take {size_text(num_bytes)}, and {folder} has {size_text(free)} free. Ask for "
            "fewer examples, or write to another disk. Nothing was written."
        )


def size_text(num_bytes: int) -> str:
    """A size for a message, such as "1.4 GB"."""
    for exponent, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if num_bytes >= 10**exponent:
            return f"{num_bytes / 10**exponent:,.1f} {unit}"
    return f"{num_bytes} bytes"


def _followed(path: Path) -> Path:
    """The absolute path that a chain of links ends at."""
    given = path
    for _ in range(_MOST_LINKS):
        path = Path(os.path.realpath(path.parent), path.name)
        if path.parts[1:2] == ("proc",):  # such as /dev/stdout
            raise ValueError(f"{_shown(given)} is not on a disk. Give another name.")
        try:
            path = path.parent / path.readlink()
        except OSError:  # not a link
            return path
    raise ValueError(f"{_shown(given)} is a symbolic link that leads back to itself. Give another name.")


def _shown(path: str | os.PathLike[str]) -> str:
    return shortened(os.fspath(path))


def _mode(path: Path) -> int | None:
    """The mode of what is there; None where nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{_shown(path)} cannot be written: {error.strerror}. Give another name.") from error


def _require_writable(folder: Path, path: str | os.PathLike[str]) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if _mode(parent) is not None)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        why = "it cannot be written into" if existing.is_dir() else "it is no folder"
        raise ValueError(f"{_shown(path)} cannot be written in {existing}: {why}. Give another name.")
