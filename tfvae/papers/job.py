"""What an experiment is given: where it may work, from which seed, and whom to tell how far it is."""

import dataclasses
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Job:
    """The circumstances of an experiment.

    Attributes:
        folder: where its trained models stay, so that the next call goes on from them.
        seed: of everything random.
        say: takes a line about the progress.
        data_dir: the folder of data that are given by path; None is that which `TFVAE_DATA_DIR` names.
    """

    folder: Path
    seed: int
    say: Callable[[str], None] = lambda line: None
    data_dir: Path | None = None
