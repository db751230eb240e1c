"""A trained model and encoded examples: everything that the explore page shows, without HTTP."""

import math
from typing import Any, NamedTuple

import numpy as np

from tfvae._activity import ACTIVE_THRESHOLD, collapse
from tfvae._display import Display, Layout
from tfvae._seeds import stateless_seed
from tfvae.data import Split
from tfvae.models import VAE
from tfvae.models.queries import sample_prior
from tfvae.serving.explore.model_input import ModelInput, has_dark_border
from tfvae.serving.explore.plane import principal_plane
from tfvae.serving.explore.programs import NUM_SAMPLES, Programs
from tfvae.typing import Distribution

# Draws that estimate the prior's mean and standard deviation where its family does not define them.
_NUM_PRIOR_DRAWS = 4096


class Encoded(NamedTuple):
    """Posterior and ELBO of one x, in nats.

    Attributes:
        loc: Mean of q(z|x) `[D]`.
        scale: Standard deviation of q(z|x) `[D]`.
        elbo: The ELBO, averaged over `NUM_SAMPLES` draws of z.
        log_likelihood: First term of the ELBO.
        kl: Second term of the ELBO, which is subtracted.
        bits_per_dim: The negative ELBO in bits per dimension; for dequantised data, the width of a level is included.
    """

    loc: list[float]
    scale: list[float]
    elbo: float
    log_likelihood: float
    kl: float
    bits_per_dim: float


class ExploredModel:
    """A model with its examples, which are encoded once. All later requests call compiled functions.

    Args:
        vae: Trained model whose z is one vector of floating-point numbers.
        examples: Examples that the map shows, in memory, in the form that the likelihood models.
        name: Name of the run, for the title of the page.
        model_input: Conversion of a user's own image to x.

    Raises:
        ValueError: If z is not a vector, or the examples do not fit the model.

    Example:
        >>> explored = ExploredModel(vae, splits.test, name="digits")
        >>> explored.decode(np.zeros([1, 2], "float32")).shape
        (1, 8, 8, 1)
    """

    def __init__(self, vae: VAE, examples: Split, *, name: str, model_input: ModelInput | None = None):
        prior = vae.prior.distribution()
        if not isinstance(vae.latent_shape, tuple) or len(vae.latent_shape) != 1 or not prior.dtype.is_floating:
            raise ValueError(
                "The page needs latents that are one vector of floating-point numbers. Received: a model whose z "
                f"has event_shape={prior.event_shape}, dtype={prior.dtype}"
            )
        vae.check_data(examples.x)
        self.name, self.event_shape, self.latent_size = name, examples.event_shape, int(vae.latent_shape[0])
        self._vae, self._examples, self._x = vae, examples, examples.x
        self._display = Display.of(self._x)
        self._input = model_input or ModelInput("range", *examples.value_range)
        self._programs = Programs(vae, self.event_shape)
        self._terms = self._programs.terms(self._x)
        self._classes, self._class_of = _classes(examples)
        self._prior_mean, self._prior_stddev = _moments(prior)
        self.decode(np.zeros([1, self.latent_size], np.float32))  # traced now, so that the first request is fast
        self.decode(np.zeros([2, self.latent_size], np.float32))
        self.encode(self._x[0])

    def __len__(self) -> int:
        return len(self._x)

    @property
    def is_image(self) -> bool:
        """Whether an x is drawn as pixels rather than as lines or bars."""
        return self._display.kind in ("image", "volume")

    def describe(self) -> dict[str, Any]:
        """Describes the model and its examples to the page, in types that JSON has."""
        display = self._display
        low, high = float(display.low.min()), float(display.high.max())
        layout = display.layout() if self.is_image else None
        takes_images = layout is not None and layout.pixels is None
        # The page compares the ELBO of a user's image with these quantiles of the examples.
        quantiles = np.quantile(self._terms.elbo.astype(np.float64), np.linspace(0.0, 1.0, 101))
        activity = self._terms.loc.var(axis=0, dtype=np.float64)
        active = activity > ACTIVE_THRESHOLD
        kl = float(self._terms.kl.mean(dtype=np.float64))
        return {
            "name": self.name,
            "data": self._examples.name,
            "event_shape": list(self.event_shape),
            "kind": display.kind,
            "is_image": self.is_image,
            "takes_images": takes_images,
            "picture": None if layout is None else layout._asdict(),
            "lines": display.line_shape,
            "words": display.caption(),
            "latent_size": self.latent_size,
            "num_examples": len(self),
            "classes": self._classes,
            "range": [low, high],
            "scales": np.stack([display.low, display.high], axis=1).tolist() if display.low.ndim else None,
            "input": self._input.to_dict(),
            "dark_border": self._has_dark_border(layout),
            "prior": {"mean": self._prior_mean.tolist(), "stddev": self._prior_stddev.tolist()},
            "active": active.tolist(),
            "kl": kl if math.isfinite(kl) else None,
            "has_collapsed": collapse(kl, (int(active.sum()), self.latent_size))[0],
            "widest": np.argsort(-activity, kind="stable")[:2].tolist(),
            "principal_plane": principal_plane(self._terms.loc),
            "elbo": {"num_samples": NUM_SAMPLES, "quantiles": [float(q) for q in quantiles if math.isfinite(q)]},
        }

    def _has_dark_border(self, layout: Layout | None) -> bool:
        if layout is None or layout.pixels is not None:
            return False
        low, high = float(self._display.low), float(self._display.high)
        return has_dark_border(self._x.reshape(len(self), *layout.shape), low, high)

    def points(self) -> bytes:
        """Returns E[z|x] of the examples `[N, D]` as float32, then their class indices `[N]` as int32, -1 for none."""
        return self._terms.loc.astype("<f4").tobytes() + self._class_of.astype("<i4").tobytes()

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Returns the mean of p(x|z), float32 `[N, *event]`, for z `[N, D]`."""
        return self._programs.decode(z)

    def example(self, index: int) -> np.ndarray:
        """Returns an example and the mean of p(x|z) at its E[z|x], float32 `[2, *event]`."""
        return np.stack([self._x[index], self.decode(self._terms.loc[index : index + 1])[0]]).astype(np.float32)

    def encode(self, x: np.ndarray, seed: int = 0) -> Encoded:
        """Encodes one x `[*event]`.

        Raises:
            ValueError: If the likelihood does not accept the values of x.
        """
        self._vae.check_data(x[np.newaxis])
        terms = self._programs.terms_of_one(x[np.newaxis], seed)
        elbo = float(terms.elbo[0])
        width = math.log2(self._input.num_levels) if self._input.num_levels else 0.0
        return Encoded(
            loc=[float(value) for value in terms.loc[0]],
            scale=[float(value) for value in terms.scale[0]],
            elbo=elbo,
            log_likelihood=float(terms.log_likelihood[0]),
            kl=float(terms.kl[0]),
            bits_per_dim=width - elbo / (math.prod(self.event_shape) * math.log(2.0)),
        )

    def draw(self, num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws the z ~ p(z) `[N, D]` of `vae.sample`, and returns them with the means of p(x|z) `[N, *event]`."""
        z = np.asarray(sample_prior(self._vae.prior.distribution(), num_samples, seed=seed).z, np.float32)
        return z, self.decode(z)


def _classes(examples: Split) -> tuple[list[dict[str, int]], np.ndarray]:
    """Returns the labels with their counts, and the index of each example's label `[N]`, -1 for none."""
    if examples.labels is None:
        return [], np.full(len(examples), -1)
    values, class_of, counts = np.unique(examples.labels, return_inverse=True, return_counts=True)
    return [{"label": int(v), "count": int(n)} for v, n in zip(values, counts, strict=True)], class_of


def _moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Returns the prior's mean and standard deviation `[D]`, or those of a normal with the same quantiles."""
    try:
        mean, stddev = np.asarray(prior.mean(), np.float64), np.asarray(prior.stddev(), np.float64)
    except NotImplementedError:
        draws = _draws(prior)
        mean, stddev = draws.mean(axis=0), draws.std(axis=0)
    if not (np.isfinite(mean).all() and np.isfinite(stddev).all()):
        # In a normal, these are one standard deviation below the mean, the mean, and one above it.
        low, mean, high = np.quantile(_draws(prior), [0.1587, 0.5, 0.8413], axis=0)
        stddev = (high - low) / 2
    return mean, np.maximum(stddev, 1e-6)


def _draws(prior: Distribution) -> np.ndarray:
    return prior.sample(_NUM_PRIOR_DRAWS, seed=stateless_seed(0)).numpy().astype(np.float64)
