"""How far a run has come: what a checkpoint holds beside the model."""

import dataclasses
import json
import os
import sys
import zipfile
from collections.abc import Callable
from typing import Any, Self

from tfvae._errors import quoted, reason

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
        settings: the configuration that the model was made and trained with; None for checkpoints of earlier versions.
    """

    epochs: int = 0
    steps: int = 0
    running_means: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0
    validation_elbo: float | None = None
    rewinds: int = 0
    history: str = ""
    settings: dict[str, Any] | None = None

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
                found = json.loads(archive.read(_MEMBER))
            _require_state(found)
            means = tuple(tuple(values) for values in found.pop("running_means"))
            return cls(**found, running_means=means)
        except Exception as error:  # of a dozen types, according to where it is damaged
            raise ValueError(
                f"{os.fspath(path)} is no checkpoint of a run, or it is damaged: {reason(error)}."
            ) from error


def _require_state(found: Any) -> None:
    """Raises ValueError for what `add_to` did not write."""
    if not isinstance(found, dict):
        raise ValueError(f"{_MEMBER} holds {quoted(found)}, no table")
    for name, is_right in _CHECKS.items():
        if not is_right(found[name]):
            raise ValueError(f"{name} cannot be {quoted(found[name])}")
    settings = found.get("settings")  # earlier versions wrote none
    if settings is not None and not (isinstance(settings, dict) and all(map(_is_table, settings.values()))):
        raise ValueError(f"settings cannot be {quoted(settings)}")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "epochs": _is_count,
    "steps": _is_count,
    "running_means": lambda value: all(_is_number(mean) for means in value for mean in means),
    "seconds": _is_number,
    "validation_elbo": lambda value: value is None or _is_number(value),
    "rewinds": _is_count,
    "history": lambda value: isinstance(value, str),
}
