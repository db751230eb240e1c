"""What batches and fixed draws ask of a split, in memory or in shards."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from tfvae.data.errors import DataError

if TYPE_CHECKING:
    from tfvae.data.sharded_split import ShardedSplit
    from tfvae.data.split import Split

Draw: TypeAlias = Literal["bernoulli", "dequantize"]


def choose_draw(split: "Split | ShardedSplit", binarize: str | None, dequantize: bool, labels: bool) -> Draw | None:
    """What batches draw afresh, once it is sure that the split allows what was asked for.

    Raises:
        ValueError: for arguments that exclude each other.
        DataError: for data that do not allow it.
    """
    if binarize not in (None, "dynamic", "static"):
        raise ValueError(f"binarize must be None, 'dynamic' or 'static'. Received binarize={binarize!r}.")
    if binarize and dequantize:
        raise ValueError(
            "binarize and dequantize exclude each other: one makes zeros and ones, the other spreads levels out. "
            f"Choose one of them. Received binarize={binarize!r}, dequantize=True."
        )
    if labels and not split.has_labels:
        raise DataError(f"{split.name} has no labels. Leave labels=False, or load data that has them.")
    if binarize:
        require_unit_interval(split)
    if dequantize:
        require_levels(split)
        return "dequantize"
    return "bernoulli" if binarize == "dynamic" and not split.is_binary else None


def require_unit_interval(split: "Split | ShardedSplit") -> None:
    """Raises DataError for values that cannot be binarised."""
    if not split.in_unit_interval:
        low, high = split.value_range
        raise DataError(
            f"{split.name} cannot be binarized: a Bernoulli probability lies in [0, 1]. Rescale the data, or leave "
            f"binarize=None. Received values from {low} to {high}."
        )


def require_levels(split: "Split | ShardedSplit") -> int:
    """The number of levels; raises DataError for floats, which cannot be dequantised."""
    if split.num_levels is None:
        raise DataError(
            f"{split.name} cannot be dequantized: it holds floats, not levels. Store the data as uint8, or leave "
            "dequantize=False."
        )
    return split.num_levels
