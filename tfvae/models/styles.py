"""Latents of one style in every class, for conditional models and models with labels.

Figures and TensorBoard decode them with their own functions.
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.estimators import EstimatorOfLabels
from tfvae.models.batch import Batch
from tfvae.models.vae import VAE
from tfvae.typing import Seed, Tensor

_MAX_COLUMNS = 20


class Styles(NamedTuple):
    """Latents of R styles in C classes, or under C conditions, ordered by style.

    Attributes:
        z: Latents `[R * C, D]`, or a nest of latents.
        condition: Conditions `[R * C, *shape]` of a conditional model, else None.
    """

    z: Any
    condition: Tensor | None


def has_class_labels(vae: VAE) -> bool:
    """Whether a part of z is a class label."""
    return isinstance(vae.estimator, EstimatorOfLabels) and vae.estimator.has_classes


def has_styles(vae: VAE) -> bool:
    """Whether one style can be shown in several classes or under several conditions."""
    return has_class_labels(vae) or vae.condition_shape is not None


def all_classes(vae: VAE) -> Tensor:
    """Returns all K classes as one-hot vectors `[K, K]`.

    Raises:
        ValueError: If there are no classes: the model has neither labels nor a condition of shape `(K,)`.
    """
    if has_class_labels(vae):
        shape = tuple(vae.prior.event_shape[_label(vae)])
    elif vae.condition_shape is None:
        raise ValueError(
            "Styles need a conditional model or a model with class labels (docs/conditional.md, "
            f"docs/semi-supervised.md). Received: vae={vae!r}"
        )
    else:
        shape = vae.condition_shape
    if len(shape) != 1:
        raise ValueError(
            "The conditions of this model are not classes. Pass those that are to be shown, of shape (C, "
            f"{', '.join(map(str, shape))}). Received: a model with conditions of shape {shape}"
        )
    return tf.eye(shape[0], dtype=vae.variable_dtype)


def columns_of(vae: VAE, examples: Batch) -> Tensor:
    """Returns the classes or conditions `[C, ...]` to show for a model, some of which the examples have.

    They are the classes where labels or conditions are one-hot vectors, else different conditions of examples, at most
    20.
    """
    if has_class_labels(vae):
        return all_classes(vae)[:_MAX_COLUMNS]
    given = np.asarray(examples.condition)
    is_one_hot = given.ndim == 2 and given.shape[1] > 1 and (np.sort(given, axis=1) == np.eye(given.shape[1])[-1]).all()
    if is_one_hot:
        return all_classes(vae)[:_MAX_COLUMNS]
    _, first = np.unique(given.reshape(len(given), -1), axis=0, return_index=True)
    return tf.constant(given[np.sort(first)[:_MAX_COLUMNS]])


def prior_styles(vae: VAE, columns: Tensor, num_styles: int, *, seed: Seed) -> Styles:
    """Draws styles from the prior, the same noise for every class or condition `[C, ...]`."""
    num_columns, drawn, conditions = int(columns.shape[0]), [], None
    if not has_class_labels(vae):
        conditions = tf.tile(columns, [num_styles, *[1] * (columns.shape.rank - 1)])
    for column in range(num_columns):
        each = tf.repeat(columns[column : column + 1], num_styles, axis=0)
        if has_class_labels(vae):
            given = {_label(vae): each}
            prior: Any = vae.prior_of()
            _, z = prior.sample_distributions(num_styles, value=given, seed=seed)
            drawn.append({**z, **given})
        else:
            prior = vae.prior_of(each)
            drawn.append(prior.sample([] if _has_batch(prior) else num_styles, seed=seed))
    z = tf.nest.map_structure(lambda *parts: _by_style(tf.stack(parts, axis=1)), *drawn)
    return Styles(z, conditions)


def example_styles(vae: VAE, examples: Batch, columns: Tensor, *, seed: Seed) -> Styles:
    """Returns the styles of examples in every class or under every condition `[C, ...]`.

    The style is E[z|x] or, if the mean is not known, a draw. For a model with labels, it is that given the known label
    of an example, or else the most probable one. Parts of z whose prior depends on the label are not part of the style.
    """
    num_columns = int(columns.shape[0])
    z = style_of(vae, examples, seed=seed)
    num_styles = tf.shape(tf.nest.flatten(z)[0])[0]
    tiled = tf.tile(columns, tf.concat([[num_styles], tf.ones([columns.shape.rank - 1], tf.int32)], axis=0))
    z = tf.nest.map_structure(lambda part: tf.repeat(part, num_columns, axis=0), z)
    if not has_class_labels(vae):
        return Styles(z, tiled)
    condition = None if examples.condition is None else tf.repeat(examples.condition, num_columns, axis=0)
    return Styles(_with_label(vae, {**z, _label(vae): tiled}, condition, seed), condition)


def _with_label(vae: VAE, z: dict[str, Tensor], condition: Tensor | None, seed: Seed) -> dict[str, Tensor]:
    """Replaces parts whose prior depends on the label by their means, or draws, given the label and the others."""
    prior: Any = vae.prior_of(condition)
    found, depending = dict(z), {_label(vae)}
    for name, parents in prior.resolve_graph():
        if depending.isdisjoint(parents or ()):
            continue
        depending.add(name)
        given = {part: value for part, value in found.items() if part != name}
        of_p, drawn = prior.sample_distributions(value=given, seed=seed)
        found[name] = drawn[name]
        with contextlib.suppress(NotImplementedError):
            found[name] = of_p[name].mean()
    return found


def style_of(vae: VAE, examples: Batch, *, seed: Seed) -> Any:
    """Returns the latents of the styles of examples, see `example_styles`."""
    posterior: Any = vae.infer(examples)
    if not has_class_labels(vae):
        try:
            return posterior.mean()
        except NotImplementedError:
            return posterior.sample(seed=seed)
    name = _label(vae)
    of_q, _ = posterior.sample_distributions(seed=seed)
    probabilities = of_q[name].mean()
    label = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    if examples.labels is not None:
        label = tf.where(tf.cast(examples.labels, tf.int32) >= 0, tf.cast(examples.labels, tf.int32), label)
    given = {name: tf.one_hot(label, probabilities.shape[-1], dtype=probabilities.dtype)}
    of_q, z = posterior.sample_distributions(value=given, seed=seed)
    found = dict(z)
    for part in found:
        with contextlib.suppress(NotImplementedError):
            found[part] = of_q[part].mean()
    return {**found, **given}


def _label(vae: VAE) -> str:
    estimator: Any = vae.estimator
    return estimator.label


def _has_batch(prior: Any) -> bool:
    return any(shape.rank for shape in tf.nest.flatten(prior.batch_shape))


def _by_style(stacked: Tensor) -> Tensor:
    """Merges the axes of styles and columns `[R, C, ...]`."""
    return tf.reshape(stacked, [-1, *stacked.shape[2:]])
