"""Folder, seed and progress messages of an experiment."""

import dataclasses
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Job:
    """Context in which an experiment runs.

    Attributes:
        folder: Folder of the trained models, from which the next call resumes.
        seed: Random seed.
        say: Function that receives lines about the progress.
        data_dir: Folder of data files. None uses `TFVAE_DATA_DIR`.
    """

    folder: Path
    seed: int
    say: Callable[[str], None] = lambda line: None
    data_dir: Path | None = None
