"""Settings that vary: the values in a list, or the numbers between two bounds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tfvae._errors import quoted
from tfvae.parts import described
from tfvae.sweeps.rows import leaves


class Trial(Protocol):
    """Trial of Optuna, which chooses values."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`. They are integers if both bounds are.

    Attributes:
        low: Lowest number.
        high: Highest number.
        log: Whether their logarithms are uniform, instead of the numbers.
    """

    low: float
    high: float
    log: bool = False

    @property
    def examples(self) -> tuple[float, ...]:
        """Values that show whether the setting is valid."""
        return self.low, self.high

    @property
    def is_integer(self) -> bool:
        """Whether the numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, generator: np.random.Generator) -> float:
        """Returns a random number."""
        if self.is_integer and not self.log:
            return int(generator.integers(int(self.low), int(self.high) + 1))
        if self.log:
            return self.value(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))
        return self.value(generator.uniform(self.low, self.high))

    def suggest(self, trial: Trial, setting: str) -> None:
        """Lets a trial of Optuna choose a number."""
        if self.is_integer:
            trial.suggest_int(setting, int(self.low), int(self.high), log=self.log)
        else:
            trial.suggest_float(setting, self.low, self.high, log=self.log)

    def value(self, drawn: float) -> float:
        """Returns the value of the setting for a number that was drawn: an integer, or four digits."""
        return round(drawn) if self.is_integer else min(max(float(f"{drawn:.4g}"), self.low), self.high)


@dataclasses.dataclass(frozen=True)
class Choices:
    """The values in a list, which may be parts.

    Attributes:
        values: The values.
    """

    values: tuple[Any, ...]

    @property
    def examples(self) -> tuple[Any, ...]:
        """Values that show whether the setting is valid."""
        return self.values

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as text, because a parameter of Optuna cannot be a part."""
        return tuple(str(described(value)) for value in self.values)

    def draw(self, generator: np.random.Generator) -> Any:
        """Returns a random value."""
        return self.values[int(generator.integers(len(self.values)))]

    def suggest(self, trial: Trial, setting: str) -> None:
        """Lets a trial of Optuna choose a value."""
        trial.suggest_categorical(setting, self.labels)

    def value(self, drawn: str) -> Any:
        """Returns the value with a label."""
        return self.values[self.labels.index(drawn)]


Space = dict[str, Range | Choices]


def read_space(table: Mapping[str, Any], way: str) -> Space:
    """Reads what varies, by setting.

    Args:
        table: Nested tables. A value is a list, or a table `{low, high, log}`.
        way: Name of the table for messages, such as "random".

    Raises:
        ValueError: If a value is neither.
    """
    return {setting: _range_or_choices(setting, value, way) for setting, value in leaves(table, stop=("low", "high"))}


def _range_or_choices(setting: str, value: Any, way: str) -> Range | Choices:
    if isinstance(value, list) and value:
        return Choices(tuple(value))
    if isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        low, high, is_log = value["low"], value["high"], value.get("log", False)
        numbers = all(type(each) in (int, float) and math.isfinite(each) for each in (low, high))
        if numbers and isinstance(is_log, bool) and low < high and (low > 0 or not is_log):
            return Range(low, high, is_log)
    raise ValueError(
        f"[{way}] needs a list of values for {setting}, or {{low = ..., high = ...}} with low below high, and above 0 "
        f"with log = true. Received: {setting}={quoted(value)}"
    )
