"""Matplotlib figures of a trained model. No function opens a window."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfvae._display import Display
from tfvae._images import beside, tile, to_displayable
from tfvae.evaluation._image_figures import annotated, image_figure, label_grid
from tfvae.evaluation._latents import conditions_of, require_vector
from tfvae.evaluation._tangent import from_tangent, to_tangent
from tfvae.evaluation.class_figures import analogies as analogies
from tfvae.evaluation.class_figures import styles as styles
from tfvae.evaluation.example_plots import column_densities, example_panels
from tfvae.evaluation.latent_map import encoded_means, principal_plane
from tfvae.evaluation.latent_map import latent_scatter as latent_scatter
from tfvae.evaluation.prior_vs_posterior import PriorVsPosterior
from tfvae.evaluation.traversal import interpolate, latent_traversal
from tfvae.models import VAE
from tfvae.models.conditions import as_condition
from tfvae.typing import Seed, TensorLike

_MAX_ROWS = 16
_MAX_PLOTS = 9
_MAX_IN_PLANE = 14
_MAX_DRAWS = 2000


def reconstructions(
    vae: VAE,
    x: TensorLike,
    *,
    condition: TensorLike | None = None,
    seed: Seed = 0,
    num_columns: int = 10,
    display: Display | None = None,
) -> Figure:
    """Draws originals and the means of p(x|z) for one z ~ q(z|x), below images or over series and tables.

    In a conditional model, `condition` is that of all examples or of each.
    """
    display = display or Display.of(x)
    x, means = np.asarray(x), np.asarray(vae.reconstruct(x, condition=condition, seed=seed))
    if display.kind in ("series", "table"):
        return annotated(example_panels(display, x, "Examples, and their reconstructions", means), display)
    originals = display.pictures(x, missing=vae.missing is not None)
    picture = beside(originals, display.pictures(means), min(num_columns, len(x)))
    return image_figure(picture, "Originals, and their reconstructions below", display)


def prior_samples(
    vae: VAE,
    *,
    num_samples: int = 64,
    condition: TensorLike | None = None,
    seed: Seed = 0,
    data: TensorLike | None = None,
    display: Display | None = None,
) -> Figure:
    """Draws the means of p(x|z) for z from the prior; for tables, the distributions of data and draws by column.

    Long rows without names of columns may be series, and are drawn as lines.

    Args:
        vae: The model.
        num_samples: Number of pictures. Distributions of a table's columns use as many draws as there are data.
        condition: For a conditional model, the condition of all draws, or an array of conditions, which are repeated as
            often as there are draws.
        seed: An int or an int32 tensor `[2]`.
        data: Examples `[N, D]` of a table, to compare draws with.
        display: How to display the pictures; None makes one from `data`, or from the means.
    """
    condition = as_condition(condition, vae.condition_shape, vae.variable_dtype)
    each = _for_draws(vae, condition, num_samples)
    means = np.asarray(vae.ancestral_sample(num_samples, condition=each, seed=seed).mean())
    display = display or Display.of(means if data is None else data)
    if display.kind == "table" and data is not None and (display.line_shape is None or display.has_names):
        return _densities(vae, np.asarray(data), condition, display, seed)
    if display.kind in ("series", "table"):
        return annotated(example_panels(display, means, "p(x|z) for z from the prior (means)"), display)
    return image_figure(tile(display.pictures(means)), "p(x|z) for z from the prior (means)", display)


def _for_draws(vae: VAE, condition: Any, num_draws: int) -> Any:
    """Repeats conditions `[C, *shape]` until there is one for each draw. One condition is returned unchanged."""
    if condition is None or np.ndim(condition) == len(vae.condition_shape or ()):
        return condition
    return np.resize(condition, (num_draws, *np.shape(condition)[1:]))


def _densities(vae: VAE, x: np.ndarray, condition: Any, display: Display, seed: Seed) -> Figure:
    num = min(max(len(x), 100), _MAX_DRAWS)
    drawn = np.asarray(vae.sample(num, condition=_for_draws(vae, condition, num), seed=seed))
    return column_densities(display, x, drawn, "Columns of the data, and of draws of the model (x ~ p(x|z), z ~ p(z))")


def manifold(
    vae: VAE,
    x: TensorLike | None = None,
    *,
    num_steps: int = 20,
    condition: TensorLike | None = None,
    display: Display | None = None,
) -> Figure:
    """Draws the mean of p(x|z) on a grid over a plane of latent space, evenly spaced in prior probability.

    For two latent dimensions this is the plane itself, for more the plane in which E[z|x] varies most over examples.

    Args:
        vae: The model; z is a vector of floats.
        x: Examples `[N, *event]`; required for more than two dimensions.
        num_steps: Number of pictures on each side.
        condition: The condition of x and of all pictures, for a conditional model.
        display: How to display the pictures; None makes one from `x`.

    Raises:
        ValueError: If the latent space is not a plane and there are no examples.
    """
    if x is None:
        picture = manifold_picture(vae, num_steps=num_steps, condition=condition, display=display)
        return image_figure(picture, "p(x|z) over the latent plane (means; inverse Gaussian CDF grid)", display)
    latent_size = require_vector(vae, "manifold")
    display = display or Display.of(x)
    if display.kind in ("series", "table"):
        num_steps = min(num_steps, _MAX_PLOTS)  # plots need more space than images
    if latent_size == 2:
        picture = manifold_picture(vae, num_steps=num_steps, condition=condition, display=display)
        return image_figure(picture, "p(x|z) over the latent plane (means; inverse Gaussian CDF grid)", display)
    num_steps = min(num_steps, _MAX_IN_PLANE)
    plane = principal_plane(to_tangent(vae, encoded_means(vae, np.asarray(x), condition)))
    quantiles = scipy.stats.norm.ppf((np.arange(num_steps) + 0.5) / num_steps)
    title = "p(x|z) in the plane in which E[z|x] varies most (means)"
    across, up = np.meshgrid(quantiles, quantiles[::-1])
    if latent_size == 1:
        title = "p(x|z) along the latent dimension (means)"
        across, up = quantiles, 0.0 * quantiles
    z = from_tangent(vae, plane.point(np.stack([across, up], axis=-1).reshape(-1, 2)))
    means = _decoded_means(vae, z.astype("float32"), condition)
    return image_figure(tile(display.pictures(means), num_steps), title, display)


def _decoded_means(vae: VAE, z: np.ndarray, condition: Any) -> np.ndarray:
    """Computes E[x|z] `[N, *event]` of latents `[N, D]`, all at once."""
    return np.asarray(vae.decode(z, condition=conditions_of(vae, condition, len(z))).mean())


def manifold_picture(
    vae: VAE, *, num_steps: int = 20, condition: TensorLike | None = None, display: Display | None = None
) -> np.ndarray:
    """Returns the pixels `[H, W, C]` of `manifold` for two latent dimensions; without a display, for values in [0, 1].

    The grid is that of the unit square, mapped by the inverse Gaussian CDF (Kingma & Welling 2013, appendix A, figure
    4).

    Raises:
        ValueError: If the latent space is not a plane.
    """
    if tuple(vae.latent_shape) != (2,):
        raise ValueError(
            "A manifold needs two latent dimensions. Pass examples as `x` to draw it in the plane in which they vary "
            f"most. Received: a model with latent_shape={vae.latent_shape}"
        )
    quantiles = scipy.stats.norm.ppf((np.arange(num_steps) + 0.5) / num_steps)
    across, up = np.meshgrid(quantiles, quantiles[::-1])
    z = from_tangent(vae, np.stack([across, up], axis=-1).reshape(-1, 2))
    means = _decoded_means(vae, z.astype("float32"), condition)
    return tile(to_displayable(means) if display is None else display.pictures(means), num_steps, padding=1)


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws ELBO, log-likelihood and KL by epoch, each in a chart with training and validation.

    Args:
        history: Columns by name, as in `metrics.csv` or `History.history`; `epoch` counts from 0.
    """
    epochs = np.asarray(history.get("epoch", range(len(next(iter(history.values()), ())))), dtype=float) + 1
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = (("elbo", "ELBO"), ("log_likelihood", "log-likelihood"), ("kl", "KL"))
    for axes, (name, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for key, label, color in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            if key in history:
                axes.plot(epochs, history[key], label=label, color=color, marker="." if len(epochs) < 20 else "")
        # The first epochs would flatten the rest of the curve, so the axis leaves them out.
        values = np.concatenate([np.asarray(history.get(key, ()), dtype=float) for key in (name, f"val_{name}")])
        if len(epochs) > 20 and values.size and np.isfinite(values).all():
            low, high = np.percentile(values, [2, 98] if name == "kl" else [4, 100])
            margin = 0.08 * (high - low) + 1e-6
            axes.set_ylim(low - margin, high + margin)
        axes.set(title=title, xlabel="epoch", ylabel="nats per example")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def traversals(
    vae: VAE,
    x: TensorLike,
    dimensions: Sequence[int] | None = None,
    *,
    num_steps: int = 11,
    span: float = 3.0,
    condition: TensorLike | None = None,
    seed: Seed = 0,
    display: Display | None = None,
) -> Figure:
    """Draws E[x|z] of one example while one latent dimension per row moves from -span to span.

    Args:
        vae: The model; z is a vector of floats.
        x: One example `[*event]`.
        dimensions: The dimensions, one per row; None means the first 16. `diagnostics(...).active_units` tells which
            ones matter.
        num_steps: Number of pictures per row.
        span: The largest value; values are symmetric around 0.
        condition: The condition of the example and of all pictures, for a conditional model.
        seed: For posteriors without a mean in closed form.
        display: How to display the pictures; None makes one from the means.
    """
    latent_size = require_vector(vae, "traversals")
    if dimensions is None:
        dimensions = range(min(latent_size, _MAX_ROWS))
    values = np.linspace(-span, span, num_steps)
    walk = latent_traversal(vae, x, dimensions, values=values, condition=condition, seed=seed)
    means = walk.means.reshape(-1, *walk.means.shape[2:])
    display = display or Display.of(means)
    picture = tile(display.pictures(means), num_steps)
    figure = image_figure(picture, "p(x|z) while one latent dimension moves (means)", display)
    axes, shown = figure.axes[0], {0, num_steps // 2, num_steps - 1}
    rows = [f"z[{dimension}]" for dimension in walk.dimensions]
    columns = [f"{value:g}" if i in shown else "" for i, value in enumerate(walk.values)]
    label_grid(axes, picture, rows=rows, columns=columns)
    return figure


def interpolations(
    vae: VAE,
    x_a: TensorLike,
    x_b: TensorLike,
    *,
    num_steps: int = 10,
    condition: TensorLike | None = None,
    seed: Seed = 0,
    display: Display | None = None,
) -> Figure:
    """Draws a row for each pair: x_a, the decoded line from E[z|x_a] to E[z|x_b], and x_b.

    Args:
        vae: The model; z is a vector of floats.
        x_a: Examples `[B, *event]`, on the left.
        x_b: Examples `[B, *event]`, on the right.
        num_steps: Number of decoded pictures per row.
        condition: The condition of all examples, or one for each row, for a conditional model.
        seed: For posteriors without a mean in closed form.
        display: How to display the pictures; None makes one from the examples.
    """
    way = interpolate(vae, x_a, x_b, num_steps, condition=condition, seed=seed)
    rows = np.concatenate([np.asarray(x_a)[:, np.newaxis], way.means, np.asarray(x_b)[:, np.newaxis]], axis=1)
    display = display or Display.of(np.concatenate([np.asarray(x_a), np.asarray(x_b)]))
    pictures = display.pictures(rows.reshape(-1, *rows.shape[2:]), missing=vae.missing is not None)
    picture = tile(pictures, num_steps + 2)
    return image_figure(picture, "From one example to another (the ends are data, the rest means of p(x|z))", display)


def prior_vs_posterior(samples: PriorVsPosterior, *, num_images: int = 64, display: Display | None = None) -> Figure:
    """Draws E[x|z] for z from the prior, from the aggregated posterior, and from a mixture fitted to it.

    Args:
        samples: The result of `tfvae.evaluation.prior_vs_posterior`.
        num_images: Maximum number of pictures of each.
        display: How to display the pictures; None makes one from the means.
    """
    prior, mixture = samples.prior_accuracy, samples.mixture_accuracy
    panels = (
        (
            "z from the prior",
            f"told apart: {prior.mean:.0%} ± {prior.standard_error:.0%} (alike: 50%)",
            samples.means_prior,
        ),
        ("z from the aggregated posterior", "z ~ q(z|x), random x", samples.means_posterior),
        (
            f"z from a mixture of {samples.num_components} normals",
            f"told apart: {mixture.mean:.0%} ± {mixture.standard_error:.0%} (alike: 50%)",
            samples.means_mixture,
        ),
    )
    display = display or Display.of(samples.means_posterior)
    pictures = [tile(display.pictures(means[:num_images])) for _, _, means in panels]
    height, width = pictures[0].shape[:2]
    figure = Figure(figsize=(12.0, 4.0 * height / width + 0.9), layout="constrained")
    for axes, (title, below, _), picture in zip(figure.subplots(1, 3), panels, pictures, strict=True):
        axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{title}\n{below}", fontsize=11)
    return annotated(figure, display)
