"""How unusual examples are, and which of their values make them so."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.estimators.monte_carlo import CHUNK_SIZE
from tfvae.evaluation._pareto import pareto_k_threshold
from tfvae.evaluation._score_terms import Terms, terms_of
from tfvae.models import VAE
from tfvae.typing import Seed

_NUM_IMPORTANCE_SAMPLES = 100


@dataclasses.dataclass(frozen=True)
class ScoreReference:
    """What is usual among some examples, for `score`.

    Attributes:
        surprise: Surprise of each of these examples `[M]`, ascending.
        usual: Mean of -E[log p(x_i|z) | x] of each value `[*event]`, over the examples in which it is observed.
        usual_of_latents: Mean of KL(p(z|x) || p(z)).
    """

    surprise: np.ndarray
    usual: np.ndarray
    usual_of_latents: float

    def __len__(self) -> int:
        return len(self.surprise)


@dataclasses.dataclass(frozen=True)
class Scores:
    """Result of `score`.

    Attributes:
        log_marginal: log p(x) of each example `[N]`, in nats. -inf for values that the likelihood excludes.
        standard_error: Its Monte Carlo standard error `[N]`. NaN for a single draw, and if log p(x) is -inf.
        surprise: How much less likely than usual an example is, in nats, `[N]`: -log p(x) minus its mean over the
            reference, or the sum of `contributions` and `contribution_of_latents`. Only observed values count, so that
            examples with few of them can be compared with others.
        quantile: Share of the reference examples that have at least this surprise `[N]`. 0 for an example that is more
            unusual than all of them.
        contributions: Part of the surprise that is due to each value `[N, *event]`: -E[log p(x_i|z) | x] minus its
            mean. Zero at missing values. Axes whose values depend on each other given z have length 1.
        contribution_of_latents: Part that is due to z `[N]`: KL(p(z|x) || p(z)) minus its mean. It is large if values
            that are usual on their own occur in an unusual combination.
        pareto_k: Shape of the tail of the importance weights `[N]`; see `log_marginal`.
        num_importance_samples: K.
    """

    log_marginal: np.ndarray
    standard_error: np.ndarray
    surprise: np.ndarray
    quantile: np.ndarray
    contributions: np.ndarray
    contribution_of_latents: np.ndarray
    pareto_k: np.ndarray
    num_importance_samples: int

    def __len__(self) -> int:
        return len(self.log_marginal)

    def __repr__(self) -> str:
        return f"Scores({len(self)} examples, surprise from {self.surprise.min():.2f} to {self.surprise.max():.2f})"

    @property
    def is_unreliable(self) -> np.ndarray:
        """Whether K draws are too few for log p(x) and its standard error, boolean `[N]`."""
        return self.pareto_k > pareto_k_threshold(self.num_importance_samples)

    def is_unusual(self, expected_share: float = 0.01) -> np.ndarray:
        """Whether an example is among the most unusual `expected_share` of the reference examples, boolean `[N]`."""
        if not 0 <= expected_share <= 1:
            raise ValueError(f"`expected_share` must be from 0 to 1. Received: expected_share={expected_share}")
        return self.quantile <= expected_share

    def with_excluded(self, excluded: np.ndarray) -> "Scores":
        """Returns the scores of examples of which some values cannot be given to the model.

        A category that no training example has is such a value. In the data that were scored, it is missing.

        Args:
            excluded: Boolean `[N, *event]`. log p(x) of these examples is -inf, and these values contribute all of it.
        """
        axes = tuple(range(1, excluded.ndim))
        is_excluded = excluded.any(axis=axes)
        return dataclasses.replace(
            self,
            log_marginal=np.where(is_excluded, -np.inf, self.log_marginal),
            standard_error=np.where(is_excluded, np.nan, self.standard_error),
            surprise=np.where(is_excluded, np.inf, self.surprise),
            quantile=np.where(is_excluded, 0.0, self.quantile),
            contributions=np.where(excluded, np.inf, self.contributions),
        )

    def without_values(self) -> "Scores":
        """Returns the scores without contributions of values, `[N, 0]`, which take the most memory."""
        return dataclasses.replace(self, contributions=self.contributions.reshape(len(self), -1)[:, :0])

    @classmethod
    def joined(cls, parts: Sequence["Scores"]) -> "Scores":
        """Returns the scores of all examples from those of parts of them, with one K."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "num_importance_samples"]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**joined, num_importance_samples=parts[0].num_importance_samples)

    def largest(self, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the values with the largest contributions.

        Args:
            num: Number of values per example, n. At most all of them.

        Returns:
            Their places in the flattened example `[N, n]`, in falling order, and their contributions.
        """
        flat = self.contributions.reshape(len(self), -1)
        places = np.argsort(-flat, axis=1, kind="stable")[:, :num]
        return places, np.take_along_axis(flat, places, axis=1)


def score_reference(
    vae: VAE,
    data: Any,
    *,
    num_importance_samples: int = _NUM_IMPORTANCE_SAMPLES,
    batch_size: int = 50,
    chunk_size: int = CHUNK_SIZE,
    seed: Seed = 0,
) -> ScoreReference:
    """Measures what is usual among examples, for `score`.

    Use examples that the model was not trained on, such as the validation split: log p(x) of training examples is
    higher, so that all others would look unusual.

    Args:
        vae: Model.
        data: As for `score`.
        num_importance_samples: As for `score`, with the same number.
        batch_size: As for `score`.
        chunk_size: As for `score`.
        seed: As for `score`.

    Raises:
        ValueError: If log p(x) is -inf for all examples, and as `score`.
    """
    terms = terms_of(vae, data, num_importance_samples, batch_size, chunk_size, seed)
    finite = np.isfinite(terms.log_marginal)
    if not finite.any():
        raise ValueError("log p(x) is -inf for all reference examples, so that nothing is usual. Give others.")
    observed = terms.observed & finite.reshape(-1, *[1] * (terms.observed.ndim - 1))
    count = np.maximum(observed.sum(axis=0), 1)
    usual = np.sum(terms.by_value, axis=0, dtype=np.float64, where=observed) / count
    reference = ScoreReference(np.zeros(0), usual, float(np.mean(terms.of_latents()[finite])))
    return dataclasses.replace(reference, surprise=np.sort(_contributions(terms, reference)[0]))


def score(
    vae: VAE,
    data: Any,
    *,
    reference: Any,
    num_importance_samples: int = _NUM_IMPORTANCE_SAMPLES,
    batch_size: int = 50,
    chunk_size: int = CHUNK_SIZE,
    seed: Seed = 0,
) -> Scores:
    """Scores how unusual examples are, and finds the values that make them so.

    log p(x) is estimated by importance sampling, as by `log_marginal`. With the normalised weights w_k of K draws
    z_k ~ q(z|x), it is exactly the sum of two terms:

    * sum_i E[log p(x_i|z) | x], with E[f(z) | x] = sum_k w_k f(z_k), over the values x_i that are observed;
    * -KL(p(z|x) || p(z)), with the estimate sum_k w_k log (K w_k q(z_k|x) / p(z_k)) of the KL.

    How much the terms of an example differ from their means over the reference tells which of its values are unusual.

    Args:
        vae: Model.
        data: Array `[N, *event]`, split, dictionary with the keys "x", "condition" and "observed", or a data set of
            these. NaN is a missing value for a model with `missing="nan"`.
        reference: Examples that are usual, in any form of `data`, or the result of `score_reference`. Use examples
            that the model was not trained on.
        num_importance_samples: Number of draws of z per example, K.
        batch_size: Number of examples per batch, for arrays and splits. The draws depend on it.
        chunk_size: Number of draws of one example that are decoded at a time. `batch_size * chunk_size` examples are in
            memory at a time.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `Scores`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If a count is too small, or the data do not fit the model.

    Numerics:
        An example whose weights are all zero or not finite has log p(x) = -inf, and the quantile 0.
        `standard_error` is from the delta method. It is too small for examples with `is_unreliable`.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8.

    Example:
        >>> scores = tfvae.evaluation.score(vae, test, reference=validation)  # doctest: +SKIP
        >>> test[scores.is_unusual(expected_share=0.01)]  # doctest: +SKIP
    """
    settings = num_importance_samples, batch_size, chunk_size, seed
    if not isinstance(reference, ScoreReference):
        reference = score_reference(
            vae,
            reference,
            num_importance_samples=num_importance_samples,
            batch_size=batch_size,
            chunk_size=chunk_size,
            seed=seed,
        )
    terms = terms_of(vae, data, *settings)
    surprise, contributions, of_latents = _contributions(terms, reference)
    at_least = len(reference) - np.searchsorted(reference.surprise, surprise, side="left")
    k = num_importance_samples
    with np.errstate(divide="ignore", invalid="ignore"):
        # Delta method: Var[log mean w] = Var[w] / (K E[w]^2) = 1/ESS - 1/K.
        error = np.sqrt(np.maximum(1.0 / terms.effective_sample_size - 1.0 / k, 0.0))
    return Scores(
        log_marginal=terms.log_marginal,
        standard_error=np.where(np.isfinite(terms.log_marginal) & (k > 1), error, np.nan),
        surprise=surprise,
        quantile=at_least / len(reference),
        contributions=contributions,
        contribution_of_latents=of_latents,
        pareto_k=terms.pareto_k,
        num_importance_samples=k,
    )


def _contributions(terms: Terms, reference: ScoreReference) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns surprise `[N]`, contributions `[N, *event]` and that of the latents `[N]`."""
    of_values = np.where(terms.observed, terms.by_value - reference.usual, 0.0)
    of_latents = terms.of_latents() - reference.usual_of_latents
    total = of_values.sum(axis=tuple(range(1, of_values.ndim))) + of_latents
    return np.where(np.isneginf(terms.log_marginal), np.inf, total), of_values, of_latents
