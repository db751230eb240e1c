"""Files of compiled programs, which processes share."""

import contextlib
import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfvae import _files

_log = logging.getLogger("tfvae")

_MAX_BYTES = 2**27
_MAX_BYTES_OF_KIND = 2**25
_SUFFIX = ".program"
_DIGEST_SIZE = hashlib.sha256().digest_size


def folder() -> Path:
    """Returns the folder of all programs: `tfvae/programs` in the user's cache, `$XDG_CACHE_HOME` or `~/.cache`."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    cache = cache if os.path.isabs(cache) else os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(cache):
        raise FileNotFoundError("the user has no home folder")
    return Path(cache) / "tfvae" / "programs"


class ProgramFiles:
    """Programs of a kind: those of one sort of computer, software and model.

    A file contains a digest and the program. Files that are damaged, or that another user can write, are ignored.
    No method raises an OSError: without a folder that can be used, there are no programs.

    Args:
        *kind: Names of two folders, one within the other.
    """

    def __init__(self, *kind: str):
        self._kind = kind

    def read(self) -> dict[str, bytes]:
        """Returns the latest programs by name."""
        programs: dict[str, bytes] = {}
        left = _MAX_BYTES_OF_KIND
        for path in self._paths():
            with _reported():
                content = _own_content(path, left)
                left -= len(content)
                digest, program = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
                if hashlib.sha256(program).digest() == digest:
                    programs[path.name.removesuffix(_SUFFIX)] = program
                    os.utime(path)
        return programs

    def write(self, name: str, program: bytes) -> None:
        """Keeps a program. The oldest programs of all kinds are removed if they need too much space."""
        with _reported():
            if len(program) > _MAX_BYTES_OF_KIND // 4:
                return
            root = folder()
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            _require_own(os.stat(root))
            path = root.joinpath(*self._kind, f"{name}{_SUFFIX}")
            os.chmod(_files.write_bytes(path, hashlib.sha256(program).digest() + program), 0o600)
            _remove_oldest(root)

    def remove(self, names: Iterable[str]) -> None:
        """Removes programs."""
        for name in names:
            with _reported():
                folder().joinpath(*self._kind, f"{name}{_SUFFIX}").unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Returns the files in order, the latest first."""
        with _reported():
            found = _times(folder().joinpath(*self._kind).glob(f"*{_SUFFIX}"))
            return [path for _, _, path in sorted(found, reverse=True)]
        return []


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Reports errors of the file system, and paths that are no files, in the log instead of raising them."""
    try:
        yield
    except (OSError, ValueError) as error:
        _log.info("A compiled program is not kept: %s", error)


def _own_content(path: Path, max_bytes: int) -> bytes:
    """Returns the content of a file that only this user can write."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        _require_own(status)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return b""
        return file.read(max_bytes)


def _require_own(status: os.stat_result) -> None:
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("another user can write to it")


def _times(paths: Iterable[Path]) -> list[tuple[float, int, Path]]:
    """Returns time, size and path of those that are files."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # another process may have removed it
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                found.append((status.st_mtime, status.st_size, path))
    return found


def _remove_oldest(root: Path) -> None:
    """Removes the oldest files until the others fit into the space for programs, and those that were never finished."""
    left = _MAX_BYTES
    for changed, size, path in sorted(_times(root.glob("*/*/*")), reverse=True):
        left -= size
        is_abandoned = path.suffix != _SUFFIX and time.time() - changed > 3600
        if left < 0 or is_abandoned:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # of a folder that is not empty
                path.parent.rmdir()
