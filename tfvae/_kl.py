"""Computes KL(q || p) in nats in closed form, for TFP's registered pairs and for all forms of a normal distribution.

TFP has no exact KL between a multivariate normal and an `Independent(Normal)` or `Sample(Normal)`, which are three
forms of one family. Importing this module registers the missing pairs with TFP, so `tfd.kl_divergence` finds them.

For joint distributions, TFP adds the KLs of the parts in its internal order. Two dictionaries may have different
orders, and an auto-batched model counts batch axes as event axes. `exact_kl` therefore pairs parts by their position in
z.
"""

import functools
import itertools
import operator
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# TFP registers KLs for these base classes of `Independent` and `Sample`, and returns instances of them.
INDEPENDENT = tfd.Independent.__bases__[0]
SAMPLE = tfd.Sample.__bases__[0]
_MULTIVARIATE_NORMAL = tfd.MultivariateNormalLinearOperator


def exact_kl(a: Distribution, b: Distribution) -> Tensor:
    """Computes KL(a || b) in nats, one value per batch member.

    Raises:
        NotImplementedError: If there is no known closed form.
    """
    if isinstance(a, tfd.JointDistribution) and isinstance(b, tfd.JointDistribution):
        pairs = zip(_independent_parts(a), _independent_parts(b), strict=True)
        return functools.reduce(operator.add, (exact_kl(part_a, part_b) for part_a, part_b in pairs))
    return tfd.kl_divergence(a, b)


def exact_kl_or_none(a: Distribution, b: Distribution) -> Tensor | None:
    """Computes KL(a || b) in nats, one value per batch member; returns None if there is no known closed form."""
    try:
        return exact_kl(a, b)
    except NotImplementedError:
        return None


def _independent_parts(joint: Any) -> list[Distribution]:
    """Returns the distributions of the parts of z, in the order of `tf.nest.flatten(z)`.

    Raises:
        NotImplementedError: If parts depend on each other, or if this is unknown.
    """
    resolve_graph = getattr(joint, "resolve_graph", None)  # coroutines do not have it
    if resolve_graph is None or any(parents for _, parents in resolve_graph()):
        raise NotImplementedError(
            f"The KL has no known closed form if the parts of z depend on each other. Received: {joint!r}"
        )
    # The draws are not used, because independent parts do not depend on them.
    parts = tf.nest.flatten(joint.sample_distributions(seed=(0, 0))[0])
    if joint.batch_ndims is None:
        return parts
    extra_ndims = [part.batch_shape.rank - joint.batch_ndims for part in parts]
    return [tfd.Independent(part, n) if n else part for part, n in zip(parts, extra_ndims, strict=True)]


def _elementwise_normal(distribution: Any) -> tuple[Any, int]:
    """Returns the equivalent `Normal` with batch shape `[*batch, *event]`, and the number of its event axes."""
    if isinstance(distribution, INDEPENDENT) and isinstance(distribution.distribution, tfd.Normal):
        return distribution.distribution, distribution.event_shape.rank
    if isinstance(distribution, SAMPLE) and isinstance(distribution.distribution, tfd.Normal):
        rank = distribution.event_shape.rank
        expand = (..., *([tf.newaxis] * rank))
        shape = tf.concat([distribution.batch_shape_tensor(), distribution.event_shape_tensor()], 0)
        loc, scale = distribution.distribution.loc, distribution.distribution.scale
        return tfd.Normal(tf.broadcast_to(loc[expand], shape), tf.broadcast_to(scale[expand], shape)), rank
    raise NotImplementedError(f"The KL has no known closed form. Received: {distribution!r}")


def _multivariate_normal(distribution: Any) -> Any:
    if isinstance(distribution, _MULTIVARIATE_NORMAL):
        return distribution
    normal, rank = _elementwise_normal(distribution)
    if rank != 1:
        raise NotImplementedError(
            "The KL with a multivariate normal requires one event axis. "
            f"Received: {distribution!r} with {rank} event axes"
        )
    shape = normal.batch_shape_tensor()
    return tfd.MultivariateNormalDiag(tf.broadcast_to(normal.loc, shape), tf.broadcast_to(normal.scale, shape))


def _kl_normals(a: Distribution, b: Distribution, name: str | None = None) -> Tensor:
    """Computes the KL between two forms of a normal distribution."""
    if not a.event_shape.is_compatible_with(b.event_shape):
        raise ValueError(
            "KL(a || b) requires equal event shapes. "
            f"Received: event shape {a.event_shape} of a={a!r}, event shape {b.event_shape} of b={b!r}"
        )
    with tf.name_scope(name or "kl_normals"):
        if isinstance(a, _MULTIVARIATE_NORMAL) or isinstance(b, _MULTIVARIATE_NORMAL):
            return tfd.kl_divergence(_multivariate_normal(a), _multivariate_normal(b))
        (normal_a, rank), (normal_b, _) = _elementwise_normal(a), _elementwise_normal(b)
        return tf.reduce_sum(tfd.kl_divergence(normal_a, normal_b), axis=list(range(-rank, 0)))


for _a, _b in itertools.product((_MULTIVARIATE_NORMAL, INDEPENDENT, SAMPLE), repeat=2):
    if _a is not _b:
        try:
            tfd.RegisterKL(_a, _b)(_kl_normals)
        except ValueError:  # the pair is already registered by another library or a later TFP
            continue
