"""How far a run has come: what a checkpoint holds beside the model."""

import dataclasses
import json
import os
import zipfile
from typing import Any, Self

_MEMBER = "training_state.json"


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """Where training stands. Weights, optimizer, learning rate, beta and random states are the model's own.

    Attributes:
        epochs: finished ones.
        steps: of the epoch after them. With `epochs` the position in the data, whose order and noise are a function
            of the seed, the epoch and the step.
        running_means: the variables of each metric in that epoch.
        seconds: that epoch has taken so far.
        validation_elbo: at the end of the last epoch; None within an epoch, and where there is none.
        rewinds: times the run went back for a loss that was not finite.
        history: `metrics.csv` so far.
    """

    epochs: int = 0
    steps: int = 0
    running_means: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0
    validation_elbo: float | None = None
    rewinds: int = 0
    history: str = ""

    def add_to(self, path: str | os.PathLike[str]) -> None:
        """Writes the state into a `.keras` file, which is a zip archive."""
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MEMBER, json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The state in a checkpoint.

        Raises:
            ValueError: when the file is damaged or no checkpoint.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                found: dict[str, Any] = json.loads(archive.read(_MEMBER))
            means = tuple(tuple(values) for values in found.pop("running_means"))
            return cls(**found, running_means=means)
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{os.fspath(path)} is no checkpoint of a run, or it is damaged: {error}.") from error
