"""KL(q(z|x) || p(z)) of each part, for a z with several named parts."""

from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import exact_kl_or_none
from tfvae.estimators._kl_kind import kl_kind
from tfvae.estimators.problem import Problem
from tfvae.layers._joint_distribution import JointDistributionOfParts
from tfvae.typing import Distribution, KLKind, Tensor

tfd = tfp.distributions


def kl_by_part(posterior: Any, prior: Any, z: Mapping[str, Tensor], *, kl: KLKind = "auto") -> dict[str, Tensor]:
    """Computes the KL of each part of z for draws. The expectation of the sum is KL(q(z|x) || p(z)).

    KL(q || p) = sum_l E_q[log q(z_l | z_<l, x) - log p(z_l | its parents)], where z_<l are the parts that q draws
    before z_l. If the parents of z_l in p are among z_<l, the expectation over z_l given z_<l is the KL between the two
    conditionals. Its closed form is used if it is known: it has the same expectation as the difference of the logs, a
    lower variance, and is never negative. If q draws a parent at or after z_l, the term is the difference of the logs
    at the draw, because z_l cannot be integrated out for a fixed parent. Such a single term may be negative.

    Args:
        posterior: Posterior q(z|x) with batch shape `[B]`, of `tfvae.layers.Joint` or a `tfd.JointDistributionNamed`.
        prior: Prior p(z) with batch shape `[]` over the same names, of `tfvae.priors.Joint` or a
            `tfd.JointDistributionNamed`.
        z: Draws of q(z|x), a dictionary of parts `[..., B, *event]`.
        kl: "auto" for the closed form if it is valid and known, "monte_carlo" for the difference of the logs.

    Returns:
        The KL of each part `[..., B]` in nats, in the order in which q draws them.

    Raises:
        TypeError: If posterior or prior is not a joint distribution of named parts, or has `batch_ndims`.
        ValueError: If their names differ, or `kl` is unknown.
    """
    if not (has_named_parts(posterior) and has_named_parts(prior)):
        raise TypeError(
            "kl_by_part requires joint distributions of named parts, from tfvae.layers.Joint and tfvae.priors.Joint, "
            f"or tfd.JointDistributionNamed. Received: posterior={posterior!r}, prior={prior!r}"
        )
    return _kl_along(posterior, _at(posterior, z), prior, _at(prior, z), z, kl)


def is_by_part(problem: Problem) -> bool:
    """Whether estimators compute the KL of each part, which is the case for the posterior of a joint layer."""
    return isinstance(problem.posterior, JointDistributionOfParts) and has_named_parts(problem.prior)


def kl_along(
    problem: Problem,
    of_q: Mapping[str, Distribution],
    z: Mapping[str, Tensor],
    kl: KLKind,
    *,
    of_p: Mapping[str, Distribution] | None = None,
    without: Collection[str] = (),
) -> dict[str, Tensor]:
    """Computes `kl_by_part` with the conditionals of q from `posterior.sample_distributions`.

    Args:
        problem: Posterior and prior.
        of_q: The conditionals of q at z.
        z: Draws of q(z|x).
        kl: As for `kl_by_part`.
        of_p: The conditionals of p at z. None makes them.
        without: Names of parts whose KL is not needed.
    """
    posterior, prior = problem.posterior, problem.prior
    return _kl_along(posterior, of_q, prior, _at(prior, z) if of_p is None else of_p, z, kl, without)


def kl_at(problem: Problem, z: Any, kl: KLKind = "auto") -> dict[str, Tensor]:
    """Computes `kl_by_part` of draws `[..., B, *event]`. Empty if estimators do not compute the KL of each part."""
    return kl_by_part(problem.posterior, problem.prior, z, kl=kl) if is_by_part(problem) else {}


def _at(joint: Any, z: Mapping[str, Tensor]) -> Mapping[str, Distribution]:
    """Returns the conditionals of a joint distribution at z."""
    return joint.sample_distributions(value=dict(z), seed=(0, 0))[0]


def _kl_along(
    posterior: Any,
    of_q: Mapping[str, Distribution],
    prior: Any,
    of_p: Mapping[str, Distribution],
    z: Mapping[str, Tensor],
    kl: KLKind,
    without: Collection[str] = (),
) -> dict[str, Tensor]:
    parents = dict(prior.resolve_graph())
    names = [name for name, _ in posterior.resolve_graph()]
    if set(names) != set(parents):
        raise ValueError(
            f"Posterior and prior must have parts of the same names. Received: {sorted(names)} of the posterior, "
            f"{sorted(parents)} of the prior"
        )
    may_be_exact = kl_kind(kl) != "monte_carlo"
    found = {}
    for place, name in enumerate(names):
        if name in without:
            continue
        q, p = of_q[name], of_p[name]
        is_given = set(parents[name] or ()) <= set(names[:place])
        exact = exact_kl_or_none(q, p) if may_be_exact and is_given else None
        value = q.log_prob(z[name]) - p.log_prob(z[name]) if exact is None else exact
        leading = tf.shape(z[name])[: z[name].shape.rank - q.event_shape.rank]
        found[name] = tf.broadcast_to(value, leading)  # a part without parents has fewer axes
    return found


def named_terms(kl_by_part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the KL of each part by the name of its metric."""
    return {f"kl_{name}": kl for name, kl in kl_by_part.items()}


def has_named_parts(distribution: Any) -> bool:
    """Whether a distribution is a joint distribution of named parts without `batch_ndims`."""
    is_named = isinstance(distribution, JointDistributionOfParts | tfd.JointDistributionNamed)
    return is_named and distribution.batch_ndims is None
