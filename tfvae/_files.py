"""Files that are either whole or not there: written beside their target, then renamed over it."""

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
    """Gives a path beside `path`, of the same ending; what is written there takes its place when the block succeeds.

    It is on the disk before it is renamed, so that a power failure cannot leave an empty file under the good name.
    A symbolic link stays, and the file it leads to is replaced. The new file has the mode of the old one, and its owner
    where the system allows that. Other hard links keep the old content.

    Raises:
        ValueError: as `output_file`.
    """
    path = output_file(path)
    beside = _beside(path)
    try:
        yield beside
        _to_disk(beside, os.O_RDWR)
        _take_mode(beside, path)
        os.replace(beside, path)
        with contextlib.suppress(OSError):  # not every system can open a folder
            _to_disk(path.parent, os.O_RDONLY)
    finally:
        beside.unlink(missing_ok=True)


def is_partial(name: str) -> bool:
    """Whether a file of this name is one of `replacing`, left there by a process that was killed."""
    return _PARTIAL.fullmatch(name) is not None


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a file; whatever stood at `path` stays until the new one is complete."""
    output_file(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        beside.write_bytes(content)
    return Path(path)


def write_new(path: str | os.PathLike[str], content: bytes) -> Path:
    """Like `write_bytes`, where nothing stands yet: of two processes one gets the name, the other FileExistsError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        beside.write_bytes(content)
        _to_disk(beside, os.O_RDWR)
        try:
            os.link(beside, path)  # unlike a rename, it fails where there is a file
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("xb") as file:
                file.write(content)
    finally:
        beside.unlink(missing_ok=True)
    return path


def write_text(path: str | os.PathLike[str], content: str) -> Path:
    """Like `write_bytes`, for text."""
    return write_bytes(path, content.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Like `write_bytes`, for JSON; NaN and infinity are refused, they are no JSON."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def take_lock(folder: str | os.PathLike[str], refusal: str) -> int | None:
    """Locks a folder for this process, until the descriptor is closed or the process ends, however it ends.

    Returns:
        The descriptor; None where the system has no locks.

    Raises:
        ValueError: with the text `refusal`, when another process holds it.
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
    """`take_lock` for a block."""
    descriptor = take_lock(folder, refusal)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _take_mode(new: Path, old: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        before = old.stat()
        if (before.st_uid, before.st_gid) != (new.stat().st_uid, new.stat().st_gid):
            with contextlib.suppress(OSError, AttributeError):  # only the administrator may give files away
                os.chown(new, before.st_uid, before.st_gid)
        new.chmod(stat.S_IMODE(before.st_mode))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


def _to_disk(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
