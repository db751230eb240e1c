"""Schedules of beta: the weight of the KL as a function of the progress of training."""

import dataclasses
from typing import Protocol

from tfvae._checks import number
from tfvae._serialization import register
from tfvae.estimators._configured import Configured


class Schedule(Protocol):
    """Pure function from the progress of training to beta, serialised by its arguments.

    Attributes:
        in_epochs: Whether progress is in epochs, including fractions, instead of steps of the optimizer.
        warm_up: Progress at which beta first reaches its final value. 0 if beta starts there.
    """

    @property
    def in_epochs(self) -> bool:
        """Whether progress is in epochs instead of steps."""
        ...

    @property
    def warm_up(self) -> float:
        """Progress at which beta first reaches its final value."""
        ...

    def __call__(self, progress: float) -> float:
        """Returns beta, at least 0, at a progress in epochs or steps since the start of the whole training."""
        ...

    def is_settled(self, progress: float) -> bool:
        """Whether beta has its final value. Early stopping waits until it does."""
        ...


@register
@dataclasses.dataclass(frozen=True)
class Constant(Configured):
    """Constant beta.

    Args:
        value: Value of beta, at least 0.

    Raises:
        ValueError: If `value` is negative or not finite.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        self._check_numbers("value")

    @property
    def in_epochs(self) -> bool:
        """Returns False, because the progress has no effect."""
        return False

    @property
    def warm_up(self) -> float:
        """Returns 0."""
        return 0.0

    def __call__(self, progress: float) -> float:
        """Returns the value."""
        return float(self.value)

    def is_settled(self, progress: float) -> bool:
        """Returns True."""
        return True


@register
@dataclasses.dataclass(frozen=True)
class LinearWarmUp(Configured):
    """Increases beta linearly from `start` to `end` and keeps it there: `LinearWarmUp(num_epochs=10)`.

    Args:
        num_epochs: Length of the increase in epochs, which may be a fraction.
        num_steps: Length of the increase in steps of the optimizer, instead of `num_epochs`.
        start: Value of beta in the first step, at least 0.
        end: Final value of beta, at least 0.

    Raises:
        ValueError: If both lengths or none are given, the length is 0, or a beta is negative.

    References:
        Bowman et al., Generating Sentences from a Continuous Space, 2015, arXiv 1511.06349, section 3.1.
        Sonderby et al., Ladder Variational Autoencoders, 2016, arXiv 1602.02282, section 2.3.
    """

    num_epochs: float | None = None
    num_steps: int | None = None
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        _check_length(self)

    @property
    def in_epochs(self) -> bool:
        """Whether the length is in epochs."""
        return self.num_epochs is not None

    @property
    def warm_up(self) -> float:
        """The length of the increase."""
        return _length(self)

    def __call__(self, progress: float) -> float:
        """Returns beta at a progress."""
        return _between(self.start, self.end, progress / self.warm_up)

    def is_settled(self, progress: float) -> bool:
        """Whether the increase has ended."""
        return progress >= self.warm_up


@register
@dataclasses.dataclass(frozen=True)
class Cyclical(Configured):
    """Repeats cycles in which beta increases linearly from `start` to `end` and stays there: `Cyclical(num_epochs=20)`.

    Each cycle starts from latents that the previous cycle has made useful. The paper has four cycles in a run.

    Args:
        num_epochs: Length of a cycle in epochs, which may be a fraction.
        num_steps: Length of a cycle in steps of the optimizer, instead of `num_epochs`.
        rising_share: Share of a cycle in which beta increases, above 0 and at most 1.
        start: Value of beta at the start of a cycle, at least 0.
        end: Value of beta at the end of a cycle, at least 0.

    Raises:
        ValueError: If both lengths or none are given, the length is 0, the share is outside (0, 1], or a beta is
            negative.

    References:
        Fu et al., Cyclical Annealing Schedule, 2019, arXiv 1903.10145, section 4.
    """

    num_epochs: float | None = None
    num_steps: int | None = None
    rising_share: float = 0.5
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        _check_length(self)
        self._set(rising_share=number(self.rising_share, "rising_share", above=0, at_most=1))

    @property
    def in_epochs(self) -> bool:
        """Whether the length is in epochs."""
        return self.num_epochs is not None

    @property
    def warm_up(self) -> float:
        """The length of the first increase."""
        return self.rising_share * _length(self)

    def __call__(self, progress: float) -> float:
        """Returns beta at a progress."""
        return _between(self.start, self.end, (progress % _length(self)) / self.warm_up)

    def is_settled(self, progress: float) -> bool:
        """Whether beta has the value `end` for the rest of the cycle."""
        return progress % _length(self) >= self.warm_up


def _length(schedule: LinearWarmUp | Cyclical) -> float:
    length = schedule.num_epochs if schedule.num_steps is None else schedule.num_steps
    return float(length or 0)


def _between(start: float, end: float, share: float) -> float:
    return float(end if share >= 1.0 else start + (end - start) * share)


def _check_length(schedule: LinearWarmUp | Cyclical) -> None:
    name, epochs, steps = type(schedule).__name__, schedule.num_epochs, schedule.num_steps
    if (epochs is None) == (steps is None):
        raise ValueError(
            f"{name} requires either `num_epochs` or `num_steps`. Received: num_epochs={epochs!r}, num_steps={steps!r}"
        )
    if steps is not None:
        schedule._check_counts("num_steps")
    else:
        schedule._check_numbers("num_epochs")
        if not schedule.num_epochs:
            raise ValueError(
                f"num_epochs must be above 0. Use Constant for a beta without increase. Received: num_epochs={epochs!r}"
            )
    schedule._check_numbers("start", "end")
