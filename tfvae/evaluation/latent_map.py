"""Two-dimensional maps of examples in latent space."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from tfvae._seeds import stateless_seed
from tfvae.evaluation._latents import as_examples, conditions_of
from tfvae.models import VAE
from tfvae.models.styles import has_class_labels, style_of
from tfvae.typing import TensorLike

_MAX_LEGEND, _MAX_NAME = 20, 30  # classes, and characters of the name of one
# t-SNE of the largest number takes about two seconds on one core; below the smallest it shows nothing.
_LEAST_NEIGHBORS, _MAX_NEIGHBORS = 30, 1000
_MAX_STEPS = 500


class Plane(NamedTuple):
    """A plane in latent space.

    Attributes:
        origin: `[D]`.
        axes: Two directions `[2, D]`, whose lengths are the standard deviations along them.
        shares: The shares of the variance along the directions; fewer than two if there are fewer directions.
    """

    origin: np.ndarray
    axes: np.ndarray
    shares: tuple[float, ...]

    def point(self, at: np.ndarray) -> np.ndarray:
        """Returns the latents `[N, D]` at coordinates `[N, 2]`, in standard deviations."""
        return self.origin + at @ self.axes


def encoded_means(vae: VAE, x: np.ndarray, condition: Any = None) -> np.ndarray:
    """Computes E[z|x] `[N, D]`, given one condition or one of each example for a conditional model.

    For a model with class labels, it is that of the other part of z given the most probable label.
    """
    conditions = conditions_of(vae, condition, len(x))
    means = []
    for rows in (slice(i, i + 1000) for i in range(0, len(x), 1000)):
        part = None if conditions is None else conditions[rows]
        found = _style(vae, x[rows], part) if has_class_labels(vae) else vae.encode(x[rows], condition=part).mean()
        means.append(found)
    return np.concatenate(means)


def _style(vae: VAE, x: np.ndarray, condition: Any) -> np.ndarray:
    found = style_of(vae, as_examples(vae, x, condition), seed=stateless_seed(0))
    estimator: Any = vae.estimator
    others = [part for name, part in found.items() if name != estimator.label]
    if len(others) != 1 or others[0].shape.rank != 2:
        raise ValueError(
            "A map needs latents with one part besides the label, which is a vector. "
            f"Received: latents with the parts {list(found)}"
        )
    return np.asarray(others[0])


def principal_plane(means: np.ndarray) -> Plane:
    """Returns the plane in which latents `[N, D]` vary most, or the first dimensions if it is not determined."""
    num, size = means.shape
    spread = means.std(axis=0)
    if min(num, size) < 2 or not spread.any():
        axes = np.zeros((2, size))
        for i in range(min(2, size)):
            axes[i, i] = spread[i] or 1.0
        return Plane(means.mean(axis=0), axes, ())
    pca = PCA(2, random_state=0).fit(means)
    lengths = np.sqrt(pca.explained_variance_)[:, np.newaxis]
    return Plane(pca.mean_, lengths * pca.components_, tuple(pca.explained_variance_ratio_))


def latent_scatter(
    vae: VAE,
    x: TensorLike,
    labels: np.ndarray | None = None,
    *,
    condition: TensorLike | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draws posterior means of examples, coloured by label.

    More than two dimensions are shown by their principal components, and by t-SNE, which keeps neighbours together. In
    a conditional model, `condition` is that of all examples or of each. For a model with class labels, the map is that
    of the other part of z. `class_names` are the names of the labels 0, 1, ..., for the legend; -1 is unknown.
    """
    means = encoded_means(vae, np.asarray(x), condition)
    if means.shape[1] <= 2:
        figure = Figure(figsize=(7.5, 6.5), layout="constrained")
        places = np.pad(means, [(0, 0), (0, 2 - means.shape[1])])
        names = ("z[0]", "z[1]" if means.shape[1] == 2 else "")
        _draw(figure.add_subplot(), places, labels, "Posterior means", names, class_names)
        return figure
    plane = principal_plane(means)
    lengths = np.maximum(np.linalg.norm(plane.axes, axis=1), 1e-12)
    principal = (means - plane.origin) @ (plane.axes / lengths[:, np.newaxis]).T
    shares = [f" ({share:.0%} of variance)" for share in plane.shares] or ["", ""]
    names = (f"PC 1{shares[0]}", f"PC 2{shares[1]}")
    has_neighbors = len(means) >= _LEAST_NEIGHBORS
    figure = Figure(figsize=(13.0 if has_neighbors else 7.5, 6.5), layout="constrained")
    panels = figure.subplots(1, 2 if has_neighbors else 1, squeeze=False)[0]
    _draw(panels[0], principal, labels, "Posterior means", names, class_names, legend=not has_neighbors)
    if has_neighbors:
        few = None if labels is None else labels[:_MAX_NEIGHBORS]
        title = "The same by t-SNE: neighbours stay together, distances mean little"
        _draw(panels[1], _neighbors(means[:_MAX_NEIGHBORS]), few, title, ("", ""), class_names)
        panels[1].set(xticks=[], yticks=[])
    return figure


def _neighbors(means: np.ndarray) -> np.ndarray:
    perplexity = min(30.0, (len(means) - 1) / 3)
    # Its threads wait in busy loops, which can take a minute instead of a second on a busy machine.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # for latents that are all equal
        return TSNE(2, perplexity=perplexity, init="random", max_iter=_MAX_STEPS, random_state=0).fit_transform(means)


def _draw(
    axes: Axes,
    places: np.ndarray,
    labels: np.ndarray | None,
    title: str,
    names: tuple[str, str],
    class_names: Sequence[str] | None,
    *,
    legend: bool = True,
) -> None:
    if labels is None:
        axes.scatter(places[:, 0], places[:, 1], s=8, alpha=0.6, linewidths=0)
    else:
        classes = np.unique(labels)
        for i, label in enumerate(classes):
            member = places[labels == label]
            text, color = _name_of(label, class_names), f"C{i % 10}"
            axes.scatter(member[:, 0], member[:, 1], s=10, alpha=0.8, linewidths=0, color=color, label=text)
        if legend and len(classes) <= _MAX_LEGEND:
            axes.legend(title="label", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, markerscale=2)
    axes.set(xlabel=names[0], ylabel=names[1], title=title)
    axes.set_aspect("equal", adjustable="datalim")


def _name_of(label: int, class_names: Sequence[str] | None) -> str:
    if class_names is None:
        return str(label)
    name = class_names[label] if label >= 0 else "unknown"
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}..."
