"""How a picture that somebody brings becomes an x of the kind that a model was trained on."""

import dataclasses
from typing import Any, Literal

import numpy as np

from tfvae.data import ShardedSplit, Split
from tfvae.training.build import dequantizes
from tfvae.training.config import RunConfig


@dataclasses.dataclass(frozen=True)
class ModelInput:
    """From a brightness in [0, 1] to a value of x; the page does the arithmetic, so that it can show what it sends.

    Attributes:
        kind: "binary" (1 above one half), "levels" (the middle of one of `num_levels` steps, as dequantised data) or
            "range" (from `low` to `high`).
        low: the value of black.
        high: the value of white.
        num_levels: of dequantised data, else None.
    """

    kind: Literal["binary", "levels", "range"]
    low: float = 0.0
    high: float = 1.0
    num_levels: int | None = None

    @classmethod
    def of_run(cls, config: RunConfig, split: Split | ShardedSplit) -> "ModelInput":
        """What a run was trained on; `split` is as loaded, before any noise."""
        if dequantizes(config, split):
            return cls("levels", num_levels=split.num_levels)
        if split.is_binary or config.data.binarize != "none":
            return cls("binary")
        low, high = split.value_range
        return cls("range") if split.in_unit_interval else cls("range", low, high)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)


def has_dark_border(x: np.ndarray, low: float, high: float) -> bool:
    """Whether pictures `[N, H, W, ...]` are bright on black, so that a scan of dark ink is to be inverted."""
    edges = np.concatenate([part.reshape(-1) for part in (x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1])])
    return bool(edges.mean() < low + 0.2 * (high - low))
