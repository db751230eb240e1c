"""Changes of stored values that are the same in every pass."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class FixedDraw:
    """One random draw, or a threshold, applied to all examples of a split.

    Attributes:
        kind: "bernoulli" draws zeros and ones, "dequantize" adds uniform noise, "threshold" compares without chance.
        number: The seed, or the threshold.
    """

    kind: Literal["bernoulli", "dequantize", "threshold"]
    number: float

    @property
    def num_levels(self) -> int | None:
        """The number of levels of the changed values."""
        return None if self.kind == "dequantize" else 2
