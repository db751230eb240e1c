"""How a KL is weighed in the surrogate loss, where that is more than a factor."""

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
    """What stands in place of beta KL in the surrogate loss: `VAE(..., beta=FreeBits(0.1))`.

    A pure object, serialised by its arguments. The bound and the KL that are reported do not know of it.

    Attributes:
        beta: the first value of the variable `vae.beta`, which schedules move.
    """

    @property
    def beta(self) -> float:
        """The first value of the variable `vae.beta`."""
        ...

    def penalty(self, terms: ELBOTerms, problem: Problem, *, beta: Tensor) -> Tensor:
        """What the surrogate loss adds for each example.

        Args:
            terms: of the ELBO; `terms.kl` `[B]` is exact or Monte Carlo, as the estimator has it.
            problem: the batch, for weightings that look at posterior and prior themselves.
            beta: the present value of `vae.beta`, a scalar.

        Returns:
            `[B]`.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        ...


class KLPenalty(NamedTuple):
    """A KL weighting with the present beta: what a VAE that has one gives its estimator as `beta`.

    Attributes:
        weighting: the KL weighting.
        beta: the variable that schedules move.
    """

    weighting: KLWeighting
    beta: Tensor

    def penalty(self, terms: ELBOTerms, problem: Problem) -> Tensor:
        """What the surrogate loss adds for each example `[B]`."""
        return self.weighting.penalty(terms, problem, beta=as_dtype(self.beta, terms.kl.dtype))

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> NoReturn:
        # An estimator that has no KL of its own multiplies log weights by beta: it ends here.
        raise TypeError(
            f"{self.weighting!r} acts on a KL that stands by itself in the loss, and this estimator's loss has none. "
            "Give the VAE estimator=tfvae.estimators.SGVB(), or ScoreFunction() where the KL has a closed form; or "
            "beta=a number, which works with every estimator."
        )


def penalty(beta: KLPenalty | Tensor | float, terms: ELBOTerms, problem: Problem) -> Tensor:
    """The KL's term in a surrogate loss `[B]`: beta KL, or what a KL weighting makes of it."""
    if isinstance(beta, KLPenalty):
        return beta.penalty(terms, problem)
    return as_dtype(beta, terms.kl.dtype) * terms.kl


def as_weighting(beta: Any) -> tuple[float, KLWeighting | None]:
    """The first value of beta, and the KL weighting if it is one.

    Raises:
        TypeError: when it is neither a number nor a KL weighting.
        ValueError: when it is negative or not finite.
    """
    weighting = beta if hasattr(beta, "penalty") and hasattr(beta, "beta") else None
    first = np.asarray(beta if weighting is None else weighting.beta)  # a variable is a number too
    if first.shape or first.dtype.kind not in "biuf":
        raise TypeError(
            "beta is a number or a KL weighting, such as tfvae.estimators.FreeBits(0.1); what moves it during training "
            f"is a callback, tfvae.callbacks.BetaSchedule. Received: {beta!r}."
        )
    return float(number(float(first), "beta", at_least=0)), weighting


def kl_per_factor(posterior: Distribution, prior: Distribution) -> Tensor | None:
    """The exact KL of each independent part of z, `[B, *parts]`, in nats; None where it is not known.

    The parts are the dimensions of a diagonal normal, the parts of a `tfd.Independent` otherwise. Their sum is
    KL(q(z|x) || p(z)).
    """
    ours, theirs = _factors(posterior), _factors(prior)
    if ours is None or theirs is None or ours.event_shape != theirs.event_shape:
        return None
    if posterior.event_shape != prior.event_shape:
        return None
    return exact_kl_or_none(ours, theirs)


def _factors(distribution: Distribution) -> Distribution | None:
    """The independent parts of an event as batch axes, or None where all axes of the event belong together."""
    if isinstance(distribution, tfd.MultivariateNormalDiag):
        return tfd.Normal(distribution.mean(), distribution.stddev())
    if isinstance(distribution, tfd.Independent):
        return distribution.distribution
    if isinstance(distribution, tfd.Sample) and distribution.batch_shape.rank == 0:  # a prior: it broadcasts
        return distribution.distribution
    return None


def mean_above(kl: Tensor, least: Tensor | float) -> Tensor:
    """The KL `[B, ...]`, and `least` where its mean over the batch is lower: the mean of this is max(least, mean)."""
    least = as_dtype(least, kl.dtype)
    return tf.where(tf.reduce_mean(kl, axis=0) > least, kl, least)
