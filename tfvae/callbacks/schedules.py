"""Schedules of beta: the weight of the KL as a function of training's progress."""

import dataclasses
from typing import Protocol

from tfvae._checks import number
from tfvae._serialization import register
from tfvae.estimators._configured import Configured


class Schedule(Protocol):
    """A pure function from training's progress to beta, serialised by its arguments.

    Attributes:
        in_epochs: whether progress is in epochs (a fraction counts within one), else in steps of the optimizer.
        warm_up: the progress at which beta first reaches the value it stays at; 0 where it starts there.
    """

    @property
    def in_epochs(self) -> bool:
        """Whether progress is in epochs, else in steps."""
        ...

    @property
    def warm_up(self) -> float:
        """The progress at which beta first reaches the value it stays at."""
        ...

    def __call__(self, progress: float) -> float:
        """Beta at the progress, epochs or steps since the start of all training, at least 0."""
        ...

    def is_settled(self, progress: float) -> bool:
        """Whether beta is at the value that training is judged by; early stopping waits while it is not."""
        ...


@register
@dataclasses.dataclass(frozen=True)
class Constant(Configured):
    """The same beta all the time.

    Args:
        value: beta, at least 0.

    Raises:
        ValueError: for a negative or non-finite value.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        self._check_numbers("value")

    @property
    def in_epochs(self) -> bool:
        """False: there is no progress to speak of."""
        return False

    @property
    def warm_up(self) -> float:
        """0."""
        return 0.0

    def __call__(self, progress: float) -> float:
        """The value."""
        return float(self.value)

    def is_settled(self, progress: float) -> bool:
        """True."""
        return True


@register
@dataclasses.dataclass(frozen=True)
class LinearWarmUp(Configured):
    """Beta rises on a line from `start` to `end`, and stays there: `LinearWarmUp(num_epochs=10)`.

    Args:
        num_epochs: length of the rise in epochs; fractions count.
        num_steps: or in steps of the optimizer.
        start: beta of the first step.
        end: beta from the end of the rise on.

    Raises:
        ValueError: for both lengths or none, a length of 0, or a beta below 0.

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
        """The length of the rise."""
        return _length(self)

    def __call__(self, progress: float) -> float:
        """Beta at the progress."""
        return _between(self.start, self.end, progress / self.warm_up)

    def is_settled(self, progress: float) -> bool:
        """Whether the rise is over."""
        return progress >= self.warm_up


@register
@dataclasses.dataclass(frozen=True)
class Cyclical(Configured):
    """Beta rises on a line from `start` to `end`, stays there, and starts again: `Cyclical(num_epochs=20)`.

    Each new rise begins from latents that the cycle before has made useful. The paper has four cycles in a run.

    Args:
        num_epochs: length of a cycle in epochs; fractions count.
        num_steps: or in steps of the optimizer.
        rising_share: the share of a cycle that rises, above 0 and at most 1.
        start: beta at the start of a cycle.
        end: beta at its end.

    Raises:
        ValueError: for both lengths or none, a length of 0, a share outside (0, 1], or a beta below 0.

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
        """The length of the first rise."""
        return self.rising_share * _length(self)

    def __call__(self, progress: float) -> float:
        """Beta at the progress."""
        return _between(self.start, self.end, (progress % _length(self)) / self.warm_up)

    def is_settled(self, progress: float) -> bool:
        """Whether beta is at its end for the rest of the cycle."""
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
            f"{name} takes its length either as num_epochs= or as num_steps=. Received: num_epochs={epochs!r}, "
            f"num_steps={steps!r}."
        )
    if steps is not None:
        schedule._check_counts("num_steps")
    else:
        schedule._check_numbers("num_epochs")
        if not schedule.num_epochs:
            raise ValueError(f"num_epochs is above 0; for no rise at all take Constant. Received: {epochs!r}.")
    schedule._check_numbers("start", "end")
