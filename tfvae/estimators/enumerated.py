"""Bound for a z with a discrete part that is summed over, or observed: semi-supervised learning."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._kl_kind import kl_kind
from tfvae.estimators._labels import as_classes, observed_label, require_label, with_observed
from tfvae.estimators.chunks import chunked_log_likelihood
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.estimate import Estimate, Weighted
from tfvae.estimators.kl_by_part import kl_along, named_terms
from tfvae.estimators.kl_weighting import KLPenalty, penalty
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Seed, Tensor

_KIND = "a OneHotCategorical"


@register
@dataclasses.dataclass(frozen=True, repr=False)
class Enumerated(Configured):
    """The bound of a model whose z = (y, z') has a discrete part y, such as a class label, that is known for some x.

    With L(x, y) = E_q(z'|x,y)[log p(x|y, z')] - KL(q(z'|x,y) || p(z'|y)) + log p(y), z' drawn by reparameterisation and
    the sum over y exact:

    * for an example whose y is unknown, the bound on log p(x) is U(x) = sum_y q(y|x) (L(x, y) - log q(y|x));
    * for an example whose y is known, the bound on log p(x, y) is L(x, y), and the loss also has the term
      -alpha log q(y|x), so that the classifier q(y|x) learns from labels.

    All values of y are decoded in one call, which makes a batch K times larger for K classes, unless `chunk_size` says
    otherwise. Posterior and prior are
    joint distributions of named parts, such as `tfvae.layers.Joint` and `tfvae.priors.Joint`, and y is a
    `OneHotCategorical` that the posterior draws first.

    Labels are given to `fit` as integers y, with -1 for unknown ones: `vae.fit(x, y)`. Metrics are `accuracy`, the
    share of known labels that are the most probable class, `classification`, the mean of log q(y|x) of known labels,
    and the KL of each part.

    Args:
        label: Name of the part y.
        classification_weight: alpha, in nats per example. The paper uses 0.1 times the number of all examples divided
            by the number of labelled ones, for losses averaged over labelled and unlabelled examples.
        num_samples: Number of draws of z' per example and class.
        kl: "auto", "analytic" or "monte_carlo", for the parts other than y.
        chunk_size: Number of draws per example, one for each class and sample, that are decoded at a time, so that
            memory does not grow with the number of classes. The gradient decodes them again. None decodes all at once.

    Raises:
        ValueError: If a number is out of range, or `kl` is unknown. When called, if posterior and prior have no part of
            this name, or other parts were observed.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, equations 6 to 9.
    """

    label: str = "y"
    classification_weight: float = 0.0
    num_samples: int = 1
    kl: KLKind = "auto"
    chunk_size: int | None = None

    has_classes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._check_counts("num_samples")
        self._check_chunk_size()
        self._check_numbers("classification_weight")
        self._set(kl=kl_kind(self.kl))

    def observe(self, problem: Problem, labels: Tensor) -> Problem:
        """Returns the problem with labels `[B]`, integers with -1 where unknown, as the observed part y.

        Labels may also be whole floating-point numbers, as in a table with missing labels. Other ones, such as NaN, are
        unknown.
        """
        require_label(problem, self.label, self, _KIND)
        posterior: Any = problem.posterior
        labels = as_classes(labels)
        num_classes, dtype = posterior.event_shape[self.label][-1], posterior.dtype[self.label]
        return with_observed(problem, self.label, tf.one_hot(labels, num_classes, dtype=dtype), labels >= 0)

    def __call__(self, problem: Problem, *, beta: KLPenalty | Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        classes = self._classes(problem, seed)
        log_q, of_class = classes.log_posterior, classes.log_likelihood - classes.kl + classes.log_prior  # [K, B]
        q = tf.exp(log_q)
        observed = observed_label(problem, self.label, self)
        if observed is None:
            y, known = tf.zeros_like(q), tf.zeros(tf.shape(q)[1:], tf.bool)
        else:
            y, known = tf.transpose(tf.cast(observed[0], q.dtype)), observed[1]
        weights = tf.where(known, y, q)  # [K, B], those of L(x, y) in the bound
        entropy = -tf.reduce_sum(tf.math.multiply_no_nan(log_q, q), axis=0)
        bound = tf.reduce_sum(tf.math.multiply_no_nan(of_class, weights), axis=0) + tf.where(known, 0.0, entropy)
        log_likelihood = tf.reduce_sum(tf.math.multiply_no_nan(classes.log_likelihood, weights), axis=0)
        by_part = {
            name: tf.reduce_sum(tf.math.multiply_no_nan(part, weights), axis=0) for name, part in classes.parts.items()
        }
        kl = log_likelihood - bound
        by_part[self.label] = kl - tf.add_n(list(by_part.values())) if by_part else kl
        loss = penalty(beta, ELBOTerms(log_likelihood, kl, by_part), problem) - log_likelihood
        log_q_of_label = tf.reduce_sum(tf.math.multiply_no_nan(log_q, y), axis=0)
        loss -= as_dtype(self.classification_weight, loss.dtype) * tf.where(known, log_q_of_label, 0.0)
        is_right = tf.equal(tf.argmax(log_q, axis=0), tf.argmax(y, axis=0))
        labelled = tf.cast(known, loss.dtype)
        return Estimate(
            surrogate_loss=loss,
            bound=bound,
            log_likelihood=log_likelihood,
            kl=kl,
            terms={
                **named_terms(by_part),
                "classification": Weighted(log_q_of_label, labelled),
                "accuracy": Weighted(tf.cast(is_right, loss.dtype), labelled),
            },
        )

    def _classes(self, problem: Problem, seed: Seed) -> "_Classes":
        """Computes the terms of L(x, y) for each value of y."""
        require_label(problem, self.label, self, _KIND)
        posterior: Any = problem.posterior
        prior: Any = problem.prior
        num_classes = posterior.event_shape[self.label][-1]
        (seed_z,) = split_seed(seed, 1, "enumerated")
        y = tf.eye(num_classes, dtype=posterior.dtype[self.label])[:, tf.newaxis]  # [K, 1, K]
        leading = [self.num_samples, num_classes, tf.shape(problem.x)[0], num_classes]
        given = {self.label: tf.broadcast_to(y, leading)}  # [S, K, B, K]
        of_q, z = posterior.sample_distributions([self.num_samples, num_classes], value=given, seed=seed_z)
        z = {**z, **given}
        of_p, _ = prior.sample_distributions(value=z, seed=(0, 0))
        divergences = kl_along(problem, of_q, z, self.kl, of_p=of_p, without=[self.label])  # each [S, K, B]
        parts = {name: tf.reduce_mean(part, axis=0) for name, part in divergences.items()}
        log_likelihood = tf.reduce_mean(self._log_likelihood(problem, z, num_classes), axis=0)  # [K, B]
        return _Classes(
            log_posterior=of_q[self.label].log_prob(given[self.label][0]),
            log_prior=of_p[self.label].log_prob(given[self.label][0]),
            log_likelihood=log_likelihood,
            kl=tf.add_n(list(parts.values())) if parts else tf.zeros_like(log_likelihood),
            parts=parts,
        )

    def _log_likelihood(self, problem: Problem, z: Any, num_classes: int) -> Tensor:
        """Computes log p(x|y, z') `[S, K, B]`."""
        if self.chunk_size is None:
            return problem.generate(z).log_prob(problem.x)
        shape = [self.num_samples, num_classes]
        return chunked_log_likelihood(problem.x, z, problem.generate, sample_shape=shape, chunk_size=self.chunk_size)


class _Classes(NamedTuple):
    """Terms for each value of y, each `[K, B]` in nats: log q(y|x), log p(y), log p(x|y, z'), and the KL of z'."""

    log_posterior: Tensor
    log_prior: Tensor
    log_likelihood: Tensor
    kl: Tensor
    parts: dict[str, Tensor]
