"""Folders of exported files, which are written completely or not at all."""

import contextlib
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from tfvae._targets import output_folder

MODEL_FILE = "saved_model.pb"  # a folder with this file is a SavedModel


@dataclass(frozen=True)
class Kind:
    """Kind of exported folder.

    Attributes:
        name: Name in messages, such as "SavedModel".
        function: Function that writes it, such as "export.save".
        matches: Function that returns whether a folder is of this kind.
    """

    name: str
    function: str
    matches: Callable[[Path], bool]


def free_target(path: str | PathLike[str], overwrite: bool, kind: Kind) -> Path:
    """Returns the absolute path, with links resolved, if a folder of this kind may be written there.

    Raises:
        ValueError: If the path contains something else, or a folder of this kind and `overwrite` is False.
    """
    if "://" in fspath(path):
        raise ValueError(
            f"{kind.function} writes only to a local folder, which it renames when it is complete. Export to a local "
            f"folder and copy it. Received: path={path!r}"
        )
    if Path(path).exists() and not Path(path).is_dir():
        raise ValueError(f"A {kind.name} is a folder, but {path} is a file. Choose another path, or remove the file.")
    target = output_folder(path)
    if not target.exists() or not any(target.iterdir()):
        return target
    if not kind.matches(target):
        raise ValueError(
            f"The folder {path} is neither empty nor a {kind.name}, so it is not replaced. Choose another path, or "
            "empty the folder."
        )
    if not overwrite:
        raise ValueError(
            f"{path} already contains a {kind.name}. Choose another path, such as the next version number, or replace "
            f"it with {kind.function}(..., overwrite=True) or, on the command line, with --overwrite."
        )
    return target


@contextlib.contextmanager
def new_folder(target: Path, overwrite: bool, kind: Kind) -> Iterator[Path]:
    """Yields a path next to `target` for a new folder, which replaces `target` when the block succeeds.

    If two processes write to the same new target, only one succeeds, because a folder is renamed only to a free name
    or an empty folder.

    Raises:
        ValueError: If `free_target` raises it for a folder that was created in the meantime.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The hidden folder is always removed. Servers ignore it, because its name is not a version number.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as workplace:
        new, old = Path(workplace) / "new", Path(workplace) / "old"
        yield new
        free_target(target, overwrite, kind)
        with contextlib.suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(target.stat().st_mode))
            if overwrite:
                target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            free_target(target, overwrite, kind)
            raise
