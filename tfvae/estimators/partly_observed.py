"""Bound for a z with a continuous part that is known for some examples: semi-supervised regression."""

import contextlib
import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._kl_kind import kl_kind
from tfvae.estimators._labels import observed_label, require_label, with_observed
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.estimate import Estimate, Weighted
from tfvae.estimators.kl_by_part import kl_along, named_terms
from tfvae.estimators.kl_weighting import KLPenalty, penalty
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Seed, Tensor

_KIND = "continuous numbers"


@register
@dataclasses.dataclass(frozen=True, repr=False)
class PartlyObserved(Configured):
    """The bound of a model whose z = (y, z') has a continuous part y, such as an age, that is known for some x.

    It is for numbers what `Enumerated` is for classes. All draws are by reparameterisation:

    * for an example whose y is unknown, the bound on log p(x) is that of a VAE with latents y and z':
      E_q(y, z'|x)[log p(x|y, z')] - KL(q(y|x) || p(y)) - E_q(y|x) KL(q(z'|x, y) || p(z'|y));
    * for an example whose y is known, the bound on log p(x, y) is
      E_q(z'|x, y)[log p(x|y, z')] - KL(q(z'|x, y) || p(z'|y)) + log p(y), and the loss also has the term
      -alpha log q(y|x), so that q(y|x) learns from known values.

    Posterior and prior are joint distributions of named parts, such as `tfvae.layers.Joint` and `tfvae.priors.Joint`,
    and the posterior draws y first. Their y has the unit of the data: scale it to a spread of about one.

    Known values are given to `fit` as numbers y `[N]` or `[N, D]`, with NaN for unknown ones: `vae.fit(x, y)`. An
    example is known if none of its values is NaN. Metrics are `regression`, the mean of log q(y|x) of known values,
    `squared_error`, the mean of their squared distance from E[y|x] if that has a closed form, and the KL of each part.

    Args:
        label: Name of the part y.
        regression_weight: alpha, in nats per example.
        num_samples: Number of draws of y and z' per example.
        kl: "auto", "analytic" or "monte_carlo", for all parts.

    Raises:
        ValueError: If a number is out of range, or `kl` is unknown. When called, if posterior and prior have no part of
            this name, other parts were observed, or draws are not reparameterised.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, equations 6 to 9, with a continuous y.
    """

    label: str = "y"
    regression_weight: float = 0.0
    num_samples: int = 1
    kl: KLKind = "auto"

    has_classes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._check_counts("num_samples")
        self._check_numbers("regression_weight")
        self._set(kl=kl_kind(self.kl))

    def observe(self, problem: Problem, labels: Tensor) -> Problem:
        """Returns the problem with numbers `[B]` or `[B, D]`, NaN where unknown, as the observed part y."""
        require_label(problem, self.label, self, _KIND)
        posterior: Any = problem.posterior
        value = tf.cast(labels, posterior.dtype[self.label])
        shape = posterior.event_shape[self.label]
        if value.shape.rank == 1 and tuple(shape) == (1,):
            value = value[:, tf.newaxis]
        if not value.shape[1:].is_compatible_with(shape):
            raise ValueError(
                f"The numbers y must have shape (B, {', '.join(map(str, shape))}), like the part '{self.label}' of z. "
                f"Received: y of shape {tuple(value.shape)}"
            )
        is_missing = tf.math.is_nan(value)
        known = ~tf.reduce_any(is_missing, axis=list(range(1, value.shape.rank)))
        return with_observed(problem, self.label, tf.where(is_missing, tf.zeros_like(value), value), known)

    def __call__(self, problem: Problem, *, beta: KLPenalty | Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_label(problem, self.label, self, _KIND)
        require_reparameterized(problem.posterior, self)
        posterior: Any = problem.posterior
        prior: Any = problem.prior
        seed_y, seed_z = split_seed(seed, 2, "partly_observed")
        of_q, drawn = posterior.sample_distributions([self.num_samples], seed=seed_y)
        of_y, y = of_q[self.label], drawn[self.label]  # [S, B, D]
        observed = observed_label(problem, self.label, self)
        if observed is None:
            value, known = y[0], tf.zeros(tf.shape(y)[1:2], tf.bool)
        else:
            value, known = observed
        is_value = tf.reshape(known, tf.concat([tf.shape(known), tf.ones([value.shape.rank - 1], tf.int32)], axis=0))
        y = tf.where(is_value, value, y)
        of_q, z = posterior.sample_distributions([self.num_samples], value={self.label: y}, seed=seed_z)
        z = {**z, self.label: y}
        of_p, _ = prior.sample_distributions(value=z, seed=(0, 0))
        along = kl_along(problem, of_q, z, self.kl, of_p=of_p)  # each [S, B]
        along[self.label] = tf.where(known, -of_p[self.label].log_prob(y), along[self.label])
        by_part = {name: tf.reduce_mean(part, axis=0) for name, part in along.items()}
        kl = tf.add_n(list(by_part.values()))
        log_likelihood = tf.reduce_mean(problem.generate(z).log_prob(problem.x), axis=0)
        log_q = of_y.log_prob(tf.where(is_value, value, tf.stop_gradient(drawn[self.label][0])))  # [B]
        loss = penalty(beta, ELBOTerms(log_likelihood, kl, by_part), problem) - log_likelihood
        loss -= as_dtype(self.regression_weight, loss.dtype) * tf.where(known, log_q, tf.zeros_like(log_q))
        weights = tf.cast(known, loss.dtype)
        terms: dict[str, Tensor | Weighted] = {**named_terms(by_part), "regression": Weighted(log_q, weights)}
        with contextlib.suppress(NotImplementedError):  # a distribution without a mean in closed form
            error = tf.reduce_sum(tf.square(of_y.mean() - value), axis=list(range(1, value.shape.rank)))
            terms["squared_error"] = Weighted(error, weights)
        return Estimate(
            surrogate_loss=loss,
            bound=log_likelihood - kl,
            log_likelihood=log_likelihood,
            kl=kl,
            terms=terms,
        )
