"""Figures of one style in every class, for conditional models and models with labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfvae._checks import whole_number
from tfvae._display import Display
from tfvae._images import tile
from tfvae._seeds import stateless_seed
from tfvae.evaluation._image_figures import image_figure, label_grid
from tfvae.evaluation._latents import as_examples
from tfvae.models import VAE
from tfvae.models.conditions import as_condition
from tfvae.models.styles import Styles, all_classes, example_styles, has_class_labels, prior_styles
from tfvae.typing import Seed, TensorLike


def styles(
    vae: VAE,
    conditions: TensorLike | None = None,
    *,
    num_styles: int = 8,
    names: Sequence[str] | None = None,
    seed: Seed = 0,
    display: Display | None = None,
) -> Figure:
    """Draws the means of p(x|z) for styles z from the prior, one per row, in every class, one per column.

    Args:
        vae: A conditional model, or a model with class labels, whose style are the other parts of z.
        conditions: The conditions of the columns `[C, *shape]`, or indices of classes `[C]`. None is all classes of the
            labels, or of a condition of shape `(K,)`.
        num_styles: Number of rows.
        names: Names of the columns. None numbers classes.
        seed: An int or an int32 tensor `[2]`. The noise of a row is the same in every class.
        display: How to display the pictures; None makes one from the means.

    Raises:
        ValueError: If the model has neither, or the conditions do not fit the model.
    """
    num_styles = whole_number(num_styles, "num_styles")
    columns = _columns(vae, conditions)
    means = _decoded(vae, prior_styles(vae, columns, num_styles, seed=stateless_seed(seed)))
    display = display or Display.of(means)
    picture = tile(display.pictures(means), int(columns.shape[0]))
    figure = image_figure(picture, "One style z of the prior per row, in every class (means of p(x|z))", display)
    label_grid(figure.axes[0], picture, columns=_names(names, conditions, columns), columns_on_top=True)
    return figure


def analogies(
    vae: VAE,
    x: Any,
    conditions: TensorLike | None = None,
    *,
    condition: TensorLike | None = None,
    labels: TensorLike | None = None,
    names: Sequence[str] | None = None,
    seed: Seed = 0,
    display: Display | None = None,
) -> Figure:
    """Draws examples in the first column, and the means of p(x|z) for the style of each in every class.

    The style of an example is E[z|x], given its condition or its label.

    Args:
        vae: A conditional model, or a model with class labels, whose style are the other parts of z.
        x: Examples `[B, *event]`, one per row.
        conditions: The conditions of the columns, see `styles`.
        condition: The condition of all examples, or of each, for a conditional model.
        labels: Class indices `[B]` of the examples, -1 for unknown ones. None takes the most probable classes.
        names: Names of the columns. None numbers classes.
        seed: An int or an int32 tensor `[2]`; for posteriors without a mean in closed form.
        display: How to display the pictures; None makes one from the examples.

    Raises:
        ValueError: If the model has neither, or the conditions do not fit the model.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, figure 1 (b).
    """
    columns = _columns(vae, conditions)
    given = as_examples(vae, x, condition)
    if labels is not None:
        given = given._replace(labels=tf.cast(labels, tf.int32))
    means = _decoded(vae, example_styles(vae, given, columns, seed=stateless_seed(seed)))
    originals = given.x.numpy()
    rows = np.concatenate([originals[:, np.newaxis], means.reshape(len(originals), -1, *originals.shape[1:])], axis=1)
    display = display or Display.of(originals)
    picture = tile(display.pictures(rows.reshape(-1, *originals.shape[1:])), 1 + int(columns.shape[0]))
    figure = image_figure(picture, "Examples on the left, and their style in every class (means of p(x|z))", display)
    shown = ["x", *_names(names, conditions, columns)]
    label_grid(figure.axes[0], picture, columns=shown, columns_on_top=True)
    return figure


def _columns(vae: VAE, conditions: Any) -> Any:
    if conditions is None:
        return all_classes(vae)
    shape = tuple(all_classes(vae).shape[1:]) if has_class_labels(vae) else vae.condition_shape
    return as_condition(conditions, shape, vae.variable_dtype)


def _names(names: Sequence[str] | None, conditions: Any, columns: Any) -> list[str]:
    if names is not None:
        if len(names) != columns.shape[0]:
            raise ValueError(
                f"`names` must have one name for each of the {columns.shape[0]} columns. Received: names={names!r}"
            )
        return [str(name) for name in names]
    if conditions is None:
        return [str(i) for i in range(columns.shape[0])]
    values = np.asarray(conditions)
    return [str(value) for value in values] if values.ndim == 1 else [""] * int(columns.shape[0])


def _decoded(vae: VAE, found: Styles) -> np.ndarray:
    return np.asarray(vae.generate(found.z, condition=found.condition).mean())
