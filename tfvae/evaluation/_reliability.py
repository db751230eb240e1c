"""Messages on the reliability of importance-sampling estimates."""

from collections.abc import Mapping
from typing import Any

from tfvae.evaluation._pareto import tail_size


def unreliable_message(
    name: str, num_above: int, num_examples: int, *, num_draws: int, threshold: float, largest: float | None
) -> str:
    """Returns a sentence on an estimate whose Pareto shapes k are above the threshold.

    Args:
        name: The estimate.
        num_above: Number of examples whose k is above the threshold.
        num_examples: Number of all examples.
        num_draws: K.
        threshold: The threshold for k.
        largest: The largest k; None if it is not finite.
    """
    about = "" if largest is None else f" (the largest is {largest:.2f})"
    return (
        f"{name} is unreliable for {num_above} of {num_examples} examples: the Pareto shape k of their importance "
        f"weights is above {threshold:.2f}{about}, so that a few of the {num_draws} draws dominate, the estimate of "
        "log p(x) is too low, and its error is larger than stated."
    )


def reliability(record: Mapping[str, Any]) -> tuple[str, str | None]:
    """Returns what a report says about the reliability of a record of log p(x), given as `Record.to_dict` returns it.

    Returns:
        The number of unreliable examples as text, and a sentence about them or None.
    """
    k, num_above = record["num_importance_samples"], record["num_above_threshold"]
    if not tail_size(k):
        few = f"{k} importance samples are too few"
        return f"unknown: {few}", f"{few} to tell whether log p(x) is reliable."
    if num_above is None:
        return "unknown: log p(x) is not known", None
    message = None
    if num_above:
        message = unreliable_message(
            "log p(x)",
            num_above,
            record["num_examples"],
            num_draws=k,
            threshold=record["pareto_k_threshold"],
            largest=record["pareto_k_max"],
        )
    return f"{num_above} of {record['num_examples']} examples", message
