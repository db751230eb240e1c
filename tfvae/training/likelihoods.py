"""What a likelihood asks of the data."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfvae._errors import quoted
from tfvae.data import SparseSplit, Split, Splits
from tfvae.data.split_like import SplitLike
from tfvae.parts import FAMILIES, part_of

# Densities of real values. Data with levels need noise of the width of a level, otherwise a density has no bound.
DENSITIES = frozenset(
    (
        "beta", "continuous_bernoulli", "diag", "diag_plus_low_rank", "kumaraswamy", "laplace", "logistic",
        "mixture_logistic", "mixture_normal", "normal", "student_t", "tril",
    )
)  # fmt: skip
# Probabilities of whole numbers, which must not be scaled to [0, 1].
COUNTS = frozenset(
    (
        "beta_binomial", "categorical", "negative_binomial", "poisson", "sized_negative_binomial",
        "zero_inflated_negative_binomial",
    )
)  # fmt: skip
# The likelihood of rows of counts that come with their sizes, and what it is called for other counts.
SIZED = "sized_negative_binomial"
_OF_SIZED: dict[str, Any] = {
    "auto": SIZED,
    "negative_binomial": SIZED,
    "zero_inflated_negative_binomial": {"kind": SIZED, "zero_inflated": True},
}
# Probabilities of gray values k / (num_bins - 1).
GRAY_VALUES = frozenset(("discretized_logistic", "discretized_logistic_mixture"))
_IN_UNIT_INTERVAL = frozenset(("bernoulli", "beta", "continuous_bernoulli", "kumaraswamy"))
_ONE_HOT = frozenset(("categorical_mixture_of_one_hot_categorical", "one_hot_categorical"))
_UNIT_VECTORS = frozenset(("von_mises_fisher",))
# Distributions of vectors, whose constructors have `event_size`.
_OF_VECTORS = frozenset((*_ONE_HOT, *_UNIT_VECTORS, "diag", "diag_plus_low_rank", "tril"))
# Distributions whose values depend on each other given z.
_DEPENDENT = frozenset((*_ONE_HOT, *_UNIT_VECTORS, "diag_plus_low_rank", "mixture_logistic", "mixture_normal", "tril"))

_TOLERANCE = 1e-3  # of the norm of unit vectors in float32


def has_sizes(splits: Splits) -> bool:
    """Whether examples are rows of counts that come with their sizes."""
    return isinstance(splits.train, SparseSplit)


def of_sized(likelihood: Any) -> Any:
    """Returns the likelihood for rows of counts that come with their sizes, in the place of one without them."""
    return _OF_SIZED.get(likelihood, likelihood) if isinstance(likelihood, str) else likelihood


def fitting(splits: Splits) -> list[str]:
    """Returns the likelihoods that have a probability for the data, without the generic one."""
    kinds = FAMILIES["model.likelihood"].kinds
    return [
        kind
        for kind in kinds
        if kind != "generic" and all(_lack(kind, {}, split) is None for split in _available(splits))
    ]


def check_values(likelihood: Any, splits: Splits) -> None:
    """Raises ValueError if the data are not values that a likelihood has a probability for, as far as this is known."""
    kind, arguments = part_of(likelihood, "model.likelihood")
    for split in _available(splits):
        lack = _lack(kind, arguments, split)
        if lack is not None:
            raise ValueError(
                f"model.likelihood = {kind!r} needs {lack}. These fit: {', '.join(fitting(splits))}. "
                f"Received: model.likelihood={quoted(likelihood)} for {split.name} with {_description(split)}"
            )
    levels = splits.train.num_levels
    num_bins = arguments.get("num_bins", levels)
    if kind in GRAY_VALUES and type(num_bins) is int and num_bins != levels:
        raise ValueError(
            f"model.likelihood.num_bins must be {levels}, the number of levels of the data. Leave it out. "
            f"Received: model.likelihood.num_bins={num_bins}"
        )


def _lack(kind: str, arguments: Mapping[str, Any], split: SplitLike) -> str | None:
    """Returns what data lack for a likelihood, in words, or None."""
    low, high = split.value_range
    of_colors = kind == "discretized_logistic_mixture" and split.event_shape[-1] > 1
    if split.has_missing and (kind in _DEPENDENT or of_colors):
        return "data without missing values, because its values depend on each other given z"
    if isinstance(split, SparseSplit) and kind != SIZED:
        return "dense data, such as a .npy file, because rows of sparse counts come with their sizes"
    if kind == SIZED and not isinstance(split, SparseSplit):
        return "rows of sparse counts with their sizes, such as an .h5ad file"
    if kind == "table" and split.schema is None:
        return "a table, such as a .csv file, whose columns are known"
    if kind in _OF_VECTORS and len(split.event_shape) != 1:
        return "vectors, such as the rows of a table"
    if kind in _IN_UNIT_INTERVAL and not split.in_unit_interval:
        return "values in [0, 1]; 8-bit images stored as uint8 are scaled to them"
    if kind in ("beta", "kumaraswamy") and split.num_levels is None and (low == 0 or high == 1):
        return "values between 0 and 1, without 0 and 1"
    if kind in GRAY_VALUES and split.num_levels is None:
        return "data with levels, such as 8-bit images stored as uint8"
    if kind in COUNTS:
        if split.num_levels is not None and not split.is_binary:
            return "whole numbers, but integer data are scaled to [0, 1]; store counts as floating-point numbers"
        most = arguments["num_classes"] - 1 if "num_classes" in arguments else arguments.get("total_count", math.inf)
        if low < 0 or high > most or not _all(split, lambda x: x % 1 == 0):
            return f"whole numbers of at least 0{'' if most == math.inf else f' and at most {most}'}"
    if kind in _ONE_HOT and not (split.is_binary and _all(split, lambda x: x.sum(axis=-1) == 1)):
        return "vectors with a single 1 and otherwise 0"
    if kind in _UNIT_VECTORS and not _all(split, lambda x: abs(np.linalg.norm(x, axis=-1) - 1) < _TOLERANCE):
        return "vectors of length 1"
    return None


def _all(split: SplitLike, condition: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether values fulfil a condition. Those of a split on disk are not read."""
    return not isinstance(split, Split) or bool(condition(split.raw).all())


def _available(splits: Splits) -> Iterator[SplitLike]:
    return (split for split in (splits.train, splits.validation, splits.test) if split is not None)


def _description(split: SplitLike) -> str:
    low, high = split.value_range
    values = f"values from {low:g} to {high:g}" if split.num_levels is None else f"{split.num_levels} levels"
    return f"{'zeros and ones' if split.is_binary else values}, examples of shape {split.event_shape}"


def is_density_of_levels(kind: str, split: SplitLike | Split) -> bool:
    """Whether a density is fitted to data with levels, which requires noise with the width of a level."""
    return kind in DENSITIES and split.num_levels is not None
