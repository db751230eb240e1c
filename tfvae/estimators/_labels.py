"""The part y of z that is known for some examples, for estimators of models with labels."""

from typing import Any

import tensorflow as tf

from tfvae.estimators.kl_by_part import has_named_parts
from tfvae.estimators.problem import Problem
from tfvae.typing import Tensor


def require_label(problem: Problem, label: str, estimator: Any, kind: str) -> None:
    """Raises ValueError if posterior and prior are not joint distributions with this part, which q draws first."""
    posterior: Any = problem.posterior
    joints = all(has_named_parts(each) for each in (posterior, problem.prior))
    if not joints or label not in posterior.event_shape or label not in problem.prior.event_shape:
        raise ValueError(
            f"{type(estimator).__name__} requires a posterior and a prior with a part '{label}', {kind}: see "
            "tfvae.layers.Joint and tfvae.priors.Joint, and docs/semi-supervised.md. "
            f"Received: posterior={posterior!r}, prior={problem.prior!r}"
        )
    parents = dict(posterior.resolve_graph())[label]
    if parents:
        raise ValueError(
            f"{type(estimator).__name__} requires a posterior that draws the part '{label}' first. "
            f"Received: a part '{label}' that depends on {list(parents)}"
        )


def with_observed(problem: Problem, label: str, value: Tensor, known: Tensor) -> Problem:
    """Returns the problem with the part y observed: its value `[B, *shape]` where `known` `[B]`."""
    observed: dict[str, Any] = dict.fromkeys(problem.posterior.event_shape)
    observed[label] = (value, known)
    return problem._replace(observed=observed)


def observed_label(problem: Problem, label: str, estimator: Any) -> tuple[Tensor, Tensor] | None:
    """Returns the observed value of y and where it is known `[B]`. None if y is unknown for all examples.

    Raises:
        ValueError: If other parts of z were observed.
    """
    observed = problem.observed or {}
    others = [name for name, value in observed.items() if value is not None and name != label]
    if others:
        raise ValueError(
            f"{type(estimator).__name__} supports an observed part '{label}' only. Received: observed parts {others}"
        )
    return observed.get(label)


def as_classes(labels: Tensor) -> Tensor:
    """Converts labels `[B]` to integers. Floating-point numbers that are not whole, such as NaN, become -1.

    Raises:
        ValueError: If there is not one label for each example.
    """
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape.rank != 1:
        raise ValueError(
            "Labels must be class indices of shape (B,), with -1 for unknown ones. Convert one-hot labels with "
            f"numpy.argmax(labels, axis=-1). Received: labels of shape {tuple(labels.shape)}"
        )
    if labels.dtype.is_floating:
        is_whole = tf.equal(labels, tf.floor(labels))
        labels = tf.cast(tf.where(is_whole, labels, -tf.ones_like(labels)), tf.int32)
    return labels
