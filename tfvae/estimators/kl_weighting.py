"""Weightings of the KL in the surrogate loss other than a factor."""

from typing import Any, NamedTuple, NoReturn, Protocol

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import number
from tfvae._kl import exact_kl_or_none
from tfvae._numerics import as_dtype
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.problem import Problem
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class KLWeighting(Protocol):
    """A term that replaces beta KL in the surrogate loss, as in `VAE(..., beta=FreeBits(0.1))`.

    A weighting has no state and is serialised by its arguments. It does not affect the reported bound and KL.

    Attributes:
        beta: The initial value of the variable `vae.beta`, which schedules change.
    """

    @property
    def beta(self) -> float:
        """The initial value of the variable `vae.beta`."""
        ...

    def penalty(self, terms: ELBOTerms, problem: Problem, *, beta: Tensor) -> Tensor:
        """Returns the KL's term in the surrogate loss, for each example.

        Args:
            terms: The terms of the ELBO; `terms.kl` `[B]` is exact or by Monte Carlo, depending on the estimator.
            problem: The batch, for weightings that use posterior and prior.
            beta: The current value of `vae.beta`, a scalar.

        Returns:
            `[B]`.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON values."""
        ...


class KLPenalty(NamedTuple):
    """A KL weighting with the current beta. A VAE with a KL weighting passes it to its estimator as `beta`.

    Attributes:
        weighting: The KL weighting.
        beta: The variable that schedules change.
    """

    weighting: KLWeighting
    beta: Tensor

    def penalty(self, terms: ELBOTerms, problem: Problem) -> Tensor:
        """Returns the KL's term in the surrogate loss `[B]`."""
        return self.weighting.penalty(terms, problem, beta=as_dtype(self.beta, terms.kl.dtype))

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> NoReturn:
        # An estimator without a separate KL multiplies log weights by beta, and gets here.
        raise TypeError(
            "A KL weighting needs an estimator whose loss has a separate KL term, and this estimator's loss has none. "
            "Use SGVB(), or ScoreFunction() if the KL has a closed form; or pass a number as `beta`, which works with "
            f"every estimator. Received: beta={self.weighting!r}"
        )


def penalty(beta: KLPenalty | Tensor | float, terms: ELBOTerms, problem: Problem) -> Tensor:
    """Returns the KL's term in the surrogate loss `[B]`: beta KL, or the penalty of a KL weighting."""
    if isinstance(beta, KLPenalty):
        return beta.penalty(terms, problem)
    return as_dtype(beta, terms.kl.dtype) * terms.kl


def as_weighting(beta: Any) -> tuple[float, KLWeighting | None]:
    """Returns the initial value of beta, and the KL weighting or None.

    Raises:
        TypeError: If `beta` is neither a number nor a KL weighting.
        ValueError: If `beta` is negative or not finite.
    """
    weighting = beta if hasattr(beta, "penalty") and hasattr(beta, "beta") else None
    first = np.asarray(beta if weighting is None else weighting.beta)  # a variable is a number too
    if first.shape or first.dtype.kind not in "biuf":
        raise TypeError(
            "`beta` must be a number or a KL weighting such as tfvae.estimators.FreeBits(0.1). To change it during "
            f"training, use the callback tfvae.callbacks.BetaSchedule. Received: beta={beta!r}"
        )
    return float(number(float(first), "beta", at_least=0)), weighting


def kl_per_factor(posterior: Distribution, prior: Distribution) -> Tensor | None:
    """Computes the exact KL of each independent factor of z, `[B, *factors]`, in nats; None if it is not known.

    The factors are the dimensions of a diagonal normal, or those of a `tfd.Independent`. Their KLs add up to KL(q(z|x)
    || p(z)).
    """
    ours, theirs = _factors(posterior), _factors(prior)
    if ours is None or theirs is None or ours.event_shape != theirs.event_shape:
        return None
    if posterior.event_shape != prior.event_shape:
        return None
    return exact_kl_or_none(ours, theirs)


def _factors(distribution: Distribution) -> Distribution | None:
    """Returns the independent factors of an event as batch axes, or None if it has none."""
    if isinstance(distribution, tfd.MultivariateNormalDiag):
        return tfd.Normal(distribution.mean(), distribution.stddev())
    if isinstance(distribution, tfd.Independent):
        return distribution.distribution
    if isinstance(distribution, tfd.Sample) and distribution.batch_shape.rank == 0:  # a prior: it broadcasts
        return distribution.distribution
    return None


def mean_above(kl: Tensor, least: Tensor | float) -> Tensor:
    """Replaces a KL `[B, ...]` by `least` where its mean over the batch is lower; the new mean is max(least, mean)."""
    least = as_dtype(least, kl.dtype)
    return tf.where(tf.reduce_mean(kl, axis=0) > least, kl, least)
