"""Pictures of a trained model, as matplotlib figures; nothing here opens a window."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from tfvae._images import beside, tile, to_displayable
from tfvae._seeds import stateless_seed
from tfvae.evaluation._latents import require_vector
from tfvae.evaluation.prior_vs_posterior import PriorVsPosterior
from tfvae.evaluation.traversal import interpolate, latent_traversal
from tfvae.models import VAE
from tfvae.typing import Seed, TensorLike

_MAX_LEGEND = 20
_MAX_ROWS = 16


def _image_figure(picture: np.ndarray, title: str) -> Figure:
    height, width = picture.shape[:2]
    figure = Figure(figsize=(8.0, 8.0 * height / width + 0.5), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)
    return figure


def reconstructions(vae: VAE, x: TensorLike, *, seed: Seed = 0, num_columns: int = 10) -> Figure:
    """Originals, and below each the mean of p(x|z) for one z drawn from q(z|x)."""
    picture = beside(to_displayable(x), to_displayable(vae.reconstruct(x, seed=seed)), num_columns)
    return _image_figure(picture, "Originals, and their reconstructions below")


def prior_samples(vae: VAE, *, num_samples: int = 64, seed: Seed = 0) -> Figure:
    """The mean of p(x|z) for z drawn from the prior."""
    z = vae.prior.distribution().sample(num_samples, seed=stateless_seed(seed))
    return _image_figure(tile(to_displayable(vae.decode(z).mean())), "p(x|z) for z from the prior (means)")


def manifold(vae: VAE, *, num_steps: int = 20) -> Figure:
    """The mean of p(x|z) on a grid over two latent dimensions, evenly spaced in prior probability.

    Raises:
        ValueError: when the latent space is not a plane.
    """
    return _image_figure(
        manifold_picture(vae, num_steps=num_steps), "p(x|z) over the latent plane (means; inverse Gaussian CDF grid)"
    )


def manifold_picture(vae: VAE, *, num_steps: int = 20) -> np.ndarray:
    """The pixels of `manifold`, `[H, W, C]`.

    The grid of the unit square goes through the inverse Gaussian CDF (Kingma & Welling 2013, appendix A, figure 4).

    Raises:
        ValueError: when the latent space is not a plane.
    """
    if tuple(vae.latent_shape) != (2,):
        raise ValueError(
            f"A manifold is drawn over two latent dimensions. This model's z has shape {vae.latent_shape}."
        )
    quantiles = scipy.stats.norm.ppf((np.arange(num_steps) + 0.5) / num_steps)
    across, up = np.meshgrid(quantiles, quantiles[::-1])
    z = np.stack([across, up], axis=-1).reshape(-1, 2).astype("float32")
    return tile(to_displayable(vae.decode(z).mean()), num_steps, padding=1)


def latent_scatter(vae: VAE, x: TensorLike, labels: np.ndarray | None = None) -> Figure:
    """Posterior means of examples, coloured by label; more than two dimensions through their principal components."""
    means = np.concatenate([vae.encode(x[i : i + 1000]).mean() for i in range(0, len(x), 1000)])
    axis_names = ["z[0]", "z[1]"]
    if means.shape[1] == 1:
        means, axis_names = np.concatenate([means, np.zeros_like(means)], axis=1), ["z[0]", ""]
    elif means.shape[1] > 2:
        pca = PCA(2, random_state=0).fit(means)
        means = pca.transform(means)
        axis_names = [f"PC {i + 1} ({share:.0%} of variance)" for i, share in enumerate(pca.explained_variance_ratio_)]
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.add_subplot()
    if labels is None:
        axes.scatter(means[:, 0], means[:, 1], s=8, alpha=0.6, linewidths=0)
    else:
        classes = np.unique(labels)
        for i, label in enumerate(classes):
            member = means[labels == label]
            axes.scatter(
                member[:, 0], member[:, 1], s=10, alpha=0.8, linewidths=0, color=f"C{i % 10}", label=str(label)
            )
        if len(classes) <= _MAX_LEGEND:
            axes.legend(title="label", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, markerscale=2)
    axes.set(xlabel=axis_names[0], ylabel=axis_names[1], title="Posterior means")
    axes.set_aspect("equal", adjustable="datalim")
    return figure


def training_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """ELBO, log-likelihood and KL by epoch, training and validation on one chart each.

    Args:
        history: columns by name, as `metrics.csv` or `History.history` has them; `epoch` counts from 0.
    """
    epochs = np.asarray(history.get("epoch", range(len(next(iter(history.values()), ())))), dtype=float) + 1
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = (("elbo", "ELBO"), ("log_likelihood", "log-likelihood"), ("kl", "KL"))
    for axes, (name, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for key, label, color in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            if key in history:
                axes.plot(epochs, history[key], label=label, color=color, marker="." if len(epochs) < 20 else "")
        # The first epochs would flatten the rest; the axis starts where most of the curve is.
        values = np.concatenate([np.asarray(history.get(key, ()), dtype=float) for key in (name, f"val_{name}")])
        if len(epochs) > 20 and values.size and np.isfinite(values).all():
            low, high = np.percentile(values, [2, 98] if name == "kl" else [4, 100])
            margin = 0.08 * (high - low) + 1e-6
            axes.set_ylim(low - margin, high + margin)
        axes.set(title=title, xlabel="epoch", ylabel="nats per example")
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
    seed: Seed = 0,
) -> Figure:
    """E[x|z] from one example on, while one latent dimension a row goes from -span to span.

    Args:
        vae: the model; z is a vector of floats.
        x: one example `[*event]`.
        dimensions: a row each; None is the first 16. `diagnostics(...).active_units` says which matter.
        num_steps: pictures in a row.
        span: half the length of the walk, around 0.
        seed: for posteriors that do not know their mean.
    """
    latent_size = require_vector(vae, "traversals")
    if dimensions is None:
        dimensions = range(min(latent_size, _MAX_ROWS))
    walk = latent_traversal(vae, x, dimensions, values=np.linspace(-span, span, num_steps), seed=seed)
    picture = tile(walk.means.reshape(-1, *walk.means.shape[2:]), num_steps)
    figure = _image_figure(picture, "p(x|z) while one latent dimension moves (means)")
    axes = figure.axes[0]
    axes.set_axis_on()
    _label_rows(axes, picture, [f"z[{dimension}]" for dimension in walk.dimensions])
    width = picture.shape[1] / num_steps
    shown = sorted({0, num_steps // 2, num_steps - 1})
    axes.set_xticks([(i + 0.5) * width - 0.5 for i in shown], [f"{walk.values[i]:g}" for i in shown])
    return figure


def interpolations(vae: VAE, x_a: TensorLike, x_b: TensorLike, *, num_steps: int = 10, seed: Seed = 0) -> Figure:
    """A row for each pair: x_a, the decoded way from its E[z|x] to that of x_b, and x_b.

    Args:
        vae: the model; z is a vector of floats.
        x_a: examples `[B, *event]`, left.
        x_b: as many others, right.
        num_steps: decoded pictures in a row.
        seed: for posteriors that do not know their mean.
    """
    way = interpolate(vae, x_a, x_b, num_steps, seed=seed)
    rows = np.concatenate([np.asarray(x_a)[:, np.newaxis], way.means, np.asarray(x_b)[:, np.newaxis]], axis=1)
    picture = tile(rows.reshape(-1, *rows.shape[2:]), num_steps + 2)
    return _image_figure(picture, "From one example to another (the ends are data, the rest means of p(x|z))")


def prior_vs_posterior(samples: PriorVsPosterior, *, num_images: int = 64) -> Figure:
    """E[x|z] for z of the prior, of the aggregated posterior and of a mixture fitted to it, side by side.

    Args:
        samples: what `tfvae.evaluation.prior_vs_posterior` returned.
        num_images: pictures of each, at most.
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
    pictures = [tile(to_displayable(means[:num_images])) for _, _, means in panels]
    height, width = pictures[0].shape[:2]
    figure = Figure(figsize=(12.0, 4.0 * height / width + 0.9), layout="constrained")
    for axes, (title, below, _), picture in zip(figure.subplots(1, 3), panels, pictures, strict=True):
        axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{title}\n{below}", fontsize=11)
    return figure


def _label_rows(axes: Any, picture: np.ndarray, labels: Sequence[str]) -> None:
    height = picture.shape[0] / len(labels)
    axes.set_yticks([(i + 0.5) * height - 0.5 for i in range(len(labels))], labels)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
