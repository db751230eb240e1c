"""Conversion of a user's own image to the values that a model was trained on."""

import dataclasses
from typing import Any, Literal

import numpy as np

from tfvae.data.any_split import AnySplit
from tfvae.training.config import RunConfig
from tfvae.training.evaluation_split import dequantizes


@dataclasses.dataclass(frozen=True)
class ModelInput:
    """Maps a brightness in [0, 1] to a value of x. The page computes it, so that it can show the x it sends.

    Attributes:
        kind: "binary" (1 above one half), "levels" (the middle of one of `num_levels` intervals, for dequantised data)
            or "range" (linear from `low` to `high`).
        low: Value of black.
        high: Value of white.
        num_levels: Number of levels of dequantised data, otherwise None.
    """

    kind: Literal["binary", "levels", "range"]
    low: float = 0.0
    high: float = 1.0
    num_levels: int | None = None

    @classmethod
    def of_run(cls, config: RunConfig, split: AnySplit) -> "ModelInput":
        """Returns the conversion for a run. `split` is the loaded split, before noise is added."""
        if dequantizes(config, split):
            return cls("levels", num_levels=split.num_levels)
        if split.is_binary or config.data.binarize != "none":
            return cls("binary")
        low, high = split.value_range
        return cls("range") if split.in_unit_interval else cls("range", low, high)

    def to_dict(self) -> dict[str, Any]:
        """Returns the attributes as a dictionary."""
        return dataclasses.asdict(self)


def has_dark_border(x: np.ndarray, low: float, high: float) -> bool:
    """Whether images `[N, H, W, ...]` are light on dark, so that a scan of dark ink must be inverted."""
    edges = np.concatenate([part.reshape(-1) for part in (x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1])])
    return bool(edges.mean() < low + 0.2 * (high - low))
