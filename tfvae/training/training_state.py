"""State of training that a checkpoint contains besides the model."""

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
    """State of training. Weights, optimizer, learning rate, beta and random states are part of the model.

    Attributes:
        epochs: Number of finished epochs.
        steps: Number of steps in the following epoch. With `epochs` it is the position in the data, whose order and
            noise depend on the seed, the epoch and the step.
        running_means: Variables of each metric in this epoch.
        seconds: Duration of this epoch so far.
        validation_elbo: Validation ELBO at the end of the last epoch. None within an epoch or if it is unknown.
        rewinds: Number of rewinds after a loss that was not finite.
        history: Content of `metrics.csv`.
        settings: Configuration of the training. None for checkpoints of earlier versions.
        callbacks: State of each of `training.callbacks`.
        has_ended: Whether one of them has ended the training.
    """

    epochs: int = 0
    steps: int = 0
    running_means: tuple[tuple[float, ...], ...] = ()
    seconds: float = 0.0
    validation_elbo: float | None = None
    rewinds: int = 0
    history: str = ""
    settings: dict[str, Any] | None = None
    callbacks: tuple[dict[str, Any], ...] = ()
    has_ended: bool = False

    def add_to(self, path: str | os.PathLike[str]) -> None:
        """Writes the state into a `.keras` file, which is a zip archive."""
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_MEMBER, json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Reads the state from a checkpoint.

        Raises:
            ValueError: If the file is damaged or not a checkpoint.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                found = json.loads(archive.read(_MEMBER))
            _require_state(found)
            means = tuple(tuple(values) for values in found.pop("running_means"))
            states = tuple(found.pop("callbacks", ()))
            return cls(**found, running_means=means, callbacks=states)
        except Exception as error:  # the type depends on the position of the damage
            raise ValueError(
                f"{os.fspath(path)} is not a checkpoint of a run, or is damaged: {reason(error)}."
            ) from error


def _require_state(found: Any) -> None:
    """Raises ValueError if `add_to` did not write this content."""
    if not isinstance(found, dict):
        raise ValueError(f"{_MEMBER} contains {quoted(found)} instead of a table")
    for name, is_valid in _CHECKS.items():
        if not is_valid(found[name]):
            raise ValueError(f"{name} cannot be {quoted(found[name])}")
    settings = found.get("settings")  # earlier versions wrote none
    if settings is not None and not (isinstance(settings, dict) and all(map(_is_table, settings.values()))):
        raise ValueError(f"settings cannot be {quoted(settings)}")
    states = found.get("callbacks", [])
    if not (isinstance(states, list) and all(_is_table(s) and all(map(_is_remembered, s.values())) for s in states)):
        raise ValueError(f"callbacks cannot be {quoted(states)}")
    if not isinstance(found.get("has_ended", False), bool):
        raise ValueError(f"has_ended cannot be {quoted(found['has_ended'])}")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_remembered(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float)


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
