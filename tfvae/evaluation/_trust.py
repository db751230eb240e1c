"""Whether an estimate by importance sampling can be trusted, in words."""

from collections.abc import Mapping
from typing import Any

from tfvae.evaluation._pareto import tail_size


def distrust(
    what: str, num_above: int, num_examples: int, *, num_draws: int, threshold: float, largest: float | None
) -> str:
    """A sentence on an estimate whose Pareto shapes k are above the threshold.

    Args:
        what: the estimate.
        num_above: examples whose k is above.
        num_examples: of how many.
        num_draws: K.
        threshold: for k.
        largest: the largest k; None where it is not finite.
    """
    about = "" if largest is None else f" (the largest is {largest:.2f})"
    return (
        f"{what} cannot be trusted for {num_above} of {num_examples} examples: the Pareto shape k of their importance "
        f"weights is above {threshold:.2f}{about}, so that a few of the {num_draws} draws decide, the estimate of "
        "log p(x) is too low, and its error is larger than stated."
    )


def trust(record: Mapping[str, Any]) -> tuple[str, str | None]:
    """What a report says of a record of log p(x), as `Record.to_dict` has it.

    Returns:
        How many examples it is not to be trusted for, and a sentence on that; None where there is nothing to say.
    """
    k, num_above = record["num_importance_samples"], record["num_above_threshold"]
    if not tail_size(k):
        few = f"{k} importance samples are too few"
        return f"unknown: {few}", f"{few} to tell whether log p(x) can be trusted."
    if num_above is None:
        return "unknown: log p(x) is not known", None
    said = None
    if num_above:
        said = distrust(
            "log p(x)",
            num_above,
            record["num_examples"],
            num_draws=k,
            threshold=record["pareto_k_threshold"],
            largest=record["pareto_k_max"],
        )
    return f"{num_above} of {record['num_examples']} examples", said
