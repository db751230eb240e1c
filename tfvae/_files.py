"""Atomic file writes: files are written to a temporary path beside their target and then renamed."""

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfvae._targets import output_file

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PARTIAL = re.compile(r"\..*\.\d+\.partial(\.\w+)?")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Context manager that yields a temporary path, which replaces `path` if the block succeeds.

    The temporary path is in the same folder and has the same suffix. The file is flushed to disk before it is renamed,
    so a power failure cannot leave an empty file at `path`. Symbolic links are kept, and their target is replaced. The
    new file has the mode of the old one, and the owner if the system permits. Other hard links keep the old content.

    Raises:
        ValueError: If `output_file` rejects the path.
    """
    path = output_file(path)
    temporary = _temporary_path(path)
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        _copy_mode(temporary, path)
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # some systems cannot open a folder
            _sync(path.parent, os.O_RDONLY)
    finally:
        temporary.unlink(missing_ok=True)


def is_partial(name: str) -> bool:
    """Whether a file name is that of a temporary file of `replacing`, which a killed process left behind."""
    return _PARTIAL.fullmatch(name) is not None


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a file; an existing file at `path` is kept until the new one is complete."""
    output_file(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_new(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a new file; if two processes write the same file, one of them gets a FileExistsError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path)
    try:
        temporary.write_bytes(content)
        _sync(temporary, os.O_RDWR)
        try:
            os.link(temporary, path)  # unlike a rename, this fails if the file exists
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("xb") as file:
                file.write(content)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: str | os.PathLike[str], content: str) -> Path:
    """Writes a text file; see `write_bytes`."""
    return write_bytes(path, content.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Writes a JSON file; see `write_bytes`. NaN and infinity raise an error, because JSON does not have them."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def take_lock(folder: str | os.PathLike[str], refusal: str) -> int | None:
    """Locks a folder for this process, until the descriptor is closed or the process ends.

    Returns:
        The descriptor, or None if the system has no locks.

    Raises:
        ValueError: With the message `refusal`, if another process has the lock.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(refusal) from None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def locked(folder: str | os.PathLike[str], refusal: str) -> Iterator[None]:
    """Context manager that locks a folder for a block; see `take_lock`."""
    descriptor = take_lock(folder, refusal)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _copy_mode(new: Path, old: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        before = old.stat()
        if (before.st_uid, before.st_gid) != (new.stat().st_uid, new.stat().st_gid):
            with contextlib.suppress(OSError, AttributeError):  # only root may change the owner
                os.chown(new, before.st_uid, before.st_gid)
        new.chmod(stat.S_IMODE(before.st_mode))


def _temporary_path(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
