"""KL(q(z|x) || p(z)) part by part, where z has several named parts."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import exact_kl_or_none
from tfvae.estimators._kl_kind import kl_kind
from tfvae.estimators.problem import Problem
from tfvae.layers._joint_distribution import JointDistributionOfParts
from tfvae.typing import Distribution, KLKind, Tensor

tfd = tfp.distributions


def kl_by_part(
    posterior: Any, prior: Any, z: Mapping[str, Tensor], *, kl: KLKind = "auto"
) -> dict[str, Tensor]:
    """The KL of each part of z along draws; the sum's expectation over the draws is KL(q(z|x) || p(z)).

    KL(q || p) = sum_l E_q[log q(z_l | z_<l, x) - log p(z_l | its parents)], where z_<l are the parts that q draws
    before z_l. Where p's parents of z_l are among z_<l, the expectation over z_l given z_<l is the KL between the two
    conditionals, which is used in closed form where one is known: it has the same expectation as the difference of the
    logs, a lower variance, and it is never negative. A parent that q draws at or after z_l is not given while z_l is
    integrated out, so that the term stays the difference of the logs at the draw. Such a term alone may be negative.

    Args:
        posterior: q(z|x), of batch shape `[B]`: what `tfvae.layers.Joint` makes, or a `tfd.JointDistributionNamed`.
        prior: p(z), of batch shape `[]`, over the same names: that of `tfvae.priors.Joint`, or likewise.
        z: draws of q(z|x), a dictionary of parts `[..., B, *event]`.
        kl: "auto" for the closed form where it may be used and is known, "monte_carlo" for the difference of the logs.

    Returns:
        The KL of each part `[..., B]`, nats, in the order in which q draws them.

    Raises:
        TypeError: If posterior or prior is not a joint distribution of named parts without a batch rank of its own.
        ValueError: If their names differ, or `kl` is another.
    """
    if not (has_named_parts(posterior) and has_named_parts(prior)):
        raise TypeError(
            "kl_by_part needs joint distributions of named parts: those of tfvae.layers.Joint and tfvae.priors.Joint, "
            f"or tfd.JointDistributionNamed. Received: posterior={posterior!r}, prior={prior!r}"
        )
    at_z, _ = posterior.sample_distributions(value=dict(z), seed=(0, 0))
    return _kl_along(posterior, prior, at_z, z, kl)


def is_by_part(problem: Problem) -> bool:
    """Whether estimators take the KL part by part: where a joint layer makes the posterior."""
    return isinstance(problem.posterior, JointDistributionOfParts) and has_named_parts(problem.prior)


def kl_along(
    problem: Problem, of_q: Mapping[str, Distribution], z: Mapping[str, Tensor], kl: KLKind
) -> dict[str, Tensor]:
    """`kl_by_part` of draws that came with q's conditionals, from `posterior.sample_distributions`."""
    return _kl_along(problem.posterior, problem.prior, of_q, z, kl)


def kl_at(problem: Problem, z: Any, kl: KLKind = "auto") -> dict[str, Tensor]:
    """`kl_by_part` of draws `[..., B, *event]`; empty where estimators take the KL as a whole."""
    return kl_by_part(problem.posterior, problem.prior, z, kl=kl) if is_by_part(problem) else {}


def _kl_along(
    posterior: Any, prior: Any, of_q: Mapping[str, Distribution], z: Mapping[str, Tensor], kl: KLKind
) -> dict[str, Tensor]:
    parents = dict(prior.resolve_graph())
    names = [name for name, _ in posterior.resolve_graph()]
    if set(names) != set(parents):
        raise ValueError(
            f"Posterior and prior must have parts of the same names. Received: {sorted(names)} of the posterior, "
            f"{sorted(parents)} of the prior."
        )
    of_p, _ = prior.sample_distributions(value=dict(z), seed=(0, 0))
    may_be_exact = kl_kind(kl) != "monte_carlo"
    found = {}
    for place, name in enumerate(names):
        q, p = of_q[name], of_p[name]
        is_given = set(parents[name] or ()) <= set(names[:place])
        exact = exact_kl_or_none(q, p) if may_be_exact and is_given else None
        value = q.log_prob(z[name]) - p.log_prob(z[name]) if exact is None else exact
        leading = tf.shape(z[name])[: z[name].shape.rank - q.event_shape.rank]
        found[name] = tf.broadcast_to(value, leading)  # of a part that depends on no other
    return found


def named_terms(kl_by_part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The KL of each part under the name of its metric."""
    return {f"kl_{name}": kl for name, kl in kl_by_part.items()}


def has_named_parts(distribution: Any) -> bool:
    """Whether a distribution is a joint one of named parts, each with every axis in its event or batch shape."""
    is_named = isinstance(distribution, JointDistributionOfParts | tfd.JointDistributionNamed)
    return is_named and distribution.batch_ndims is None
