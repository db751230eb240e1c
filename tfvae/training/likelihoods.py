"""What a likelihood asks of the data."""

from tfvae.data import Split, Splits
from tfvae.data.split_like import SplitLike

# Densities of real values. Data with levels need noise of the width of a level, otherwise a density has no bound.
DENSITIES = frozenset(
    (
        "beta", "continuous_bernoulli", "diag", "diag_plus_low_rank", "laplace", "logistic", "mixture_logistic",
        "mixture_normal", "normal", "student_t", "tril",
    )
)  # fmt: skip
# Probabilities of whole numbers, which must not be scaled to [0, 1].
COUNTS = frozenset(("beta_binomial", "categorical", "negative_binomial", "poisson"))
# Probabilities of gray values k / (num_bins - 1).
GRAY_VALUES = frozenset(("discretized_logistic", "discretized_logistic_mixture"))


def check_values(kind: str, splits: Splits) -> None:
    """Raises ValueError if the data are not values that a likelihood has a probability for, as far as this is known."""
    levels = splits.train.num_levels
    setting = f"model.likelihood = {kind!r}"
    if kind in COUNTS and levels is not None:
        raise ValueError(
            f"{setting} needs whole numbers, but integer data are scaled to [0, 1]. Store the counts as floating-point "
            f"numbers, or choose discretized_logistic or normal. Received: {splits.train.name} with {levels} levels"
        )
    if kind in GRAY_VALUES and levels is None and not splits.train.is_binary:
        raise ValueError(
            f"{setting} needs data with levels, such as 8-bit images stored as uint8. Choose normal, logistic or "
            f"mixture_normal for real values. Received: {splits.train.name} with floating-point values"
        )


def is_density_of_levels(kind: str, split: SplitLike | Split) -> bool:
    """Whether a density is fitted to data with levels, which requires noise with the width of a level."""
    return kind in DENSITIES and split.num_levels is not None
