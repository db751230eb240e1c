"""KL(q || p) in nats: exact for every spelling of a normal distribution, and otherwise as TFP knows it.

TFP has no exact KL between a multivariate normal and an `Independent(Normal)` or `Sample(Normal)`, three spellings of
one family. Importing this module adds the missing pairs to TFP's own table, so that `tfd.kl_divergence` finds them.

Of joint distributions TFP adds up the KLs of the parts in the order it keeps them, which two dictionaries need not
share, and with batch axes that an auto-batched model counts as event; `exact_kl` pairs parts by their place in z.
"""

import itertools

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# The classes TFP registers for, and makes some of: `Independent` and `Sample` are thin subclasses of these two.
INDEPENDENT = tfd.Independent.__bases__[0]
SAMPLE = tfd.Sample.__bases__[0]
_MULTIVARIATE_NORMAL = tfd.MultivariateNormalLinearOperator


def exact_kl(a: Distribution, b: Distribution) -> Tensor:
    """KL(a || b) in nats, one value a batch member.

    Raises:
        NotImplementedError: when no closed form is known.
    """
    if isinstance(a, tfd.JointDistribution) and isinstance(b, tfd.JointDistribution):
        pairs = zip(_independent_parts(a), _independent_parts(b), strict=True)
        return sum(exact_kl(of_a, of_b) for of_a, of_b in pairs)
    return tfd.kl_divergence(a, b)


def exact_kl_or_none(a: Distribution, b: Distribution) -> Tensor | None:
    """KL(a || b) in nats, one value a batch member; None when no closed form is known."""
    try:
        return exact_kl(a, b)
    except NotImplementedError:
        return None


def _independent_parts(joint: Distribution) -> list[Distribution]:
    """The distributions of z's parts, in the order of `tf.nest.flatten(z)`.

    Raises:
        NotImplementedError: when one depends on another, or that is not known.
    """
    resolve_graph = getattr(joint, "resolve_graph", None)  # a coroutine has none
    if resolve_graph is None or any(parents for _, parents in resolve_graph()):
        raise NotImplementedError(f"No closed-form KL is known of {joint!r}, whose parts depend on each other.")
    # The draws that come with them are not used: what does not depend on another part does not depend on them.
    parts = tf.nest.flatten(joint.sample_distributions(seed=(0, 0))[0])
    if joint.batch_ndims is None:
        return parts
    more = [part.batch_shape.rank - joint.batch_ndims for part in parts]
    return [tfd.Independent(part, n) if n else part for part, n in zip(parts, more, strict=True)]


def _elementwise_normal(distribution: Distribution) -> tuple[Distribution, int]:
    """The `Normal` with batch shape `[*batch, *event]` behind another spelling, and its number of event axes."""
    if isinstance(distribution, INDEPENDENT) and isinstance(distribution.distribution, tfd.Normal):
        return distribution.distribution, distribution.event_shape.rank
    if isinstance(distribution, SAMPLE) and isinstance(distribution.distribution, tfd.Normal):
        rank = distribution.event_shape.rank
        expand = (..., *([tf.newaxis] * rank))
        shape = tf.concat([distribution.batch_shape_tensor(), distribution.event_shape_tensor()], 0)
        loc, scale = distribution.distribution.loc, distribution.distribution.scale
        return tfd.Normal(tf.broadcast_to(loc[expand], shape), tf.broadcast_to(scale[expand], shape)), rank
    raise NotImplementedError(f"No closed-form KL is known for {distribution!r}.")


def _multivariate_normal(distribution: Distribution) -> Distribution:
    if isinstance(distribution, _MULTIVARIATE_NORMAL):
        return distribution
    normal, rank = _elementwise_normal(distribution)
    if rank != 1:
        raise NotImplementedError(f"A multivariate normal has one event axis, {distribution!r} has {rank}.")
    shape = normal.batch_shape_tensor()
    return tfd.MultivariateNormalDiag(tf.broadcast_to(normal.loc, shape), tf.broadcast_to(normal.scale, shape))


def _kl_normals(a: Distribution, b: Distribution, name: str | None = None) -> Tensor:
    """KL between two spellings of a normal distribution."""
    if not a.event_shape.is_compatible_with(b.event_shape):
        raise ValueError(
            f"KL(a || b) needs equal event shapes. Received: {a.event_shape} of {a!r}, {b.event_shape} of {b!r}."
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
        except ValueError:  # another library, or a later TFP, registered the pair already
            continue
