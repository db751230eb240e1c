"""The condition or label that a user gives on the command line."""

from pathlib import Path
from typing import Any

from tfvae._errors import quoted, reading
from tfvae.training.config import RunConfig


def checked_condition(config: RunConfig, text: str | None) -> Any:
    """Returns the condition of all samples: the number of a class, or an array. None for a model without a condition.

    Args:
        config: The configuration of the run.
        text: The name of a class; numbers separated by commas; or an .npy file with one condition.

    Raises:
        ValueError: If the model needs a condition that is not given, takes none, or the condition is none of these.
    """
    if not config.data.condition:
        if text is not None:
            raise ValueError(
                "The model of this run has no condition. Train one with `tfvae train --condition label`. "
                f"Received: --condition {quoted(text)}"
            )
        return None
    import numpy as np  # imported here, because `tfvae --help` does not need NumPy

    from tfvae.data.classes import class_of, listed

    classes = config.data.classes
    if text is None:
        expected = f"one of {listed(classes)}" if classes else "numbers such as 0.5,1, or an .npy file"
        raise ValueError(f"The model of this run needs a condition: --condition, {expected}. Received: no --condition")
    if classes:
        return class_of(text, classes, "--condition")
    if text.endswith(".npy"):
        with reading(Path(text), "Expected one condition, saved with numpy.save."):
            return np.load(text, allow_pickle=False).astype(np.float32)
    try:
        return np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError as error:
        raise ValueError(
            "--condition must be numbers separated by commas, such as 0.5,1, or an .npy file with one condition. "
            f"Received: --condition {quoted(text)}"
        ) from error


def checked_label(config: RunConfig, text: str | None) -> int | None:
    """Returns the number of the class of all samples, or None.

    Raises:
        ValueError: If the model has no labels, or not this one.
    """
    if text is None:
        return None
    from tfvae.data.classes import class_of

    require_labels(config, f"--label {quoted(text)}")
    return class_of(text, config.data.classes, "--label")


def require_labels(config: RunConfig, received: str) -> None:
    """Raises ValueError if the model of a run has no labels."""
    if config.model.kind != "m2":
        raise ValueError(
            "The model of this run has no labels. Train one with `tfvae train --model m2`. "
            f"Received: {received} for a run with model.kind={config.model.kind!r}"
        )
