"""Folders of exported files: free or replaceable, and never there by half."""

import contextlib
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from tfvae._targets import output_folder

MODEL_FILE = "saved_model.pb"  # what makes a folder a SavedModel


@dataclass(frozen=True)
class Kind:
    """What a function writes.

    Attributes:
        name: what messages call it, such as "SavedModel".
        function: the function that writes it, such as "export.save".
        is_one: whether a folder holds one.
    """

    name: str
    function: str
    is_one: Callable[[Path], bool]


def free_target(path: str | PathLike[str], overwrite: bool, kind: Kind) -> Path:
    """The absolute path, links followed, when a folder of this kind may be written there.

    Raises:
        ValueError: when something else is there, or one of this kind and `overwrite` is False.
    """
    if "://" in fspath(path):
        raise ValueError(
            f"{kind.function} writes to a local folder, so that it can rename it when it is complete. Received: "
            f"{path!r}. Export to a local folder and copy it there."
        )
    if Path(path).exists() and not Path(path).is_dir():
        raise ValueError(f"A {kind.name} is a folder, but {path} is a file. Choose another path, or remove the file.")
    target = output_folder(path)
    if not target.exists() or not any(target.iterdir()):
        return target
    if not kind.is_one(target):
        raise ValueError(
            f"The folder {path} is not empty, and what is in it is no {kind.name}, so it is not replaced. Choose "
            "another path, or empty the folder."
        )
    if not overwrite:
        raise ValueError(
            f"There is a {kind.name} in {path} already. Choose another path, such as the next version number, or "
            f"replace it with {kind.function}(..., overwrite=True); on the command line with --overwrite."
        )
    return target


@contextlib.contextmanager
def new_folder(target: Path, overwrite: bool, kind: Kind) -> Iterator[Path]:
    """Gives a path beside `target` to make a folder at; it takes the place of `target` when the block succeeds.

    Of two processes that want one new place, one gets it: a folder is renamed only to a free name or an empty folder.

    Raises:
        ValueError: as `free_target`, for what was put there in the meantime.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The hidden folder goes in any case; a version number it is not, so that a server does not look into it.
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
