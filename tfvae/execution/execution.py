"""State that `fit`, its callbacks and the compiled loop share."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.execution.device_batches import DeviceBatches
from tfvae.execution.stacked_batches import StackedBatches
from tfvae.typing import Tensor


@dataclasses.dataclass
class Execution:
    """State about the steps of a call that `fit`, its callbacks and the compiled loop share.

    Attributes:
        num_steps: Maximum number of steps of a call.
        limit: Maximum number of steps of the next call if an epoch ends earlier, else None.
        scheduled: Pairs `(variable, values)`: the value of the variable in each step of the next call. See `schedule`.
        moving: Variables that the present call assigns.
        batches: Training batches if they are rows of an array on the device, else None.
        validation: Validation batches of a fit if they stay on the device, else None.
        is_running: Whether a fit or an evaluation is running.
        num_made: Number of steps that the last call made.
        first_non_finite: Index within the last call of the first step whose loss was not finite. None if all were
            finite.
    """

    num_steps: int = 1
    limit: int | None = None
    scheduled: list[tuple[Any, np.ndarray]] = dataclasses.field(default_factory=list)
    moving: list[Any] = dataclasses.field(default_factory=list)
    batches: DeviceBatches | None = None
    validation: StackedBatches | None = None
    is_running: bool = False
    num_made: int = 0
    first_non_finite: int | None = None

    def schedule(self, variable: Any, values: Sequence[float] | np.ndarray) -> None:
        """Sets the values of a variable in the steps of the next call. They replace values that were set before.

        The variable may be any non-trainable variable that the step reads: the weight of the KL, a capacity, a
        temperature, a learning rate.

        Args:
            variable: A Keras or TensorFlow variable, a scalar.
            values: One value per step. Further steps use the last value.
        """
        others = [(other, kept) for other, kept in self.scheduled if other is not variable]
        self.scheduled = [*others, (variable, np.asarray(values))]

    def skip(self, num_steps: int) -> None:
        """Drops the scheduled values of the first steps of the next call."""
        self.scheduled = [(variable, values[num_steps:]) for variable, values in self.scheduled]

    def take_schedule(self) -> "Schedule":
        """Returns the values for the next call and clears them."""
        taken, self.scheduled = self.scheduled, []
        self.moving = [variable for variable, _ in taken]
        return Schedule(self.moving, [values for _, values in taken])


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Values of some variables in the steps of one call.

    Attributes:
        variables: The variables.
        values: One array per variable, with one value per step.
    """

    variables: list[Any]
    values: list[np.ndarray]

    @property
    def key(self) -> tuple[int, ...]:
        """Key of the compiled program, which depends on the variables that it assigns."""
        return tuple(id(variable) for variable in self.variables)

    def stacked(self, first: int, num_steps: int) -> list[Tensor]:
        """Returns the values from step `first` on as tensors, padded to `num_steps` with the last value."""
        padded = (np.concatenate([some, np.repeat(some[-1:], first + num_steps)]) for some in self.values)
        return [
            tf.constant(values[first : first + num_steps], variable.dtype)
            for variable, values in zip(self.variables, padded, strict=True)
        ]

    def assign(self, values: Sequence[Any], step: Any) -> None:
        """Assigns each variable its value in a step.

        Args:
            values: `self.values`, or those of `stacked` within a compiled program.
            step: Index of the step, an integer or a scalar tensor.
        """
        for variable, some in zip(self.variables, values, strict=True):
            variable.assign(some[step])
