"""A trained model and encoded examples: everything that the explore page shows, without HTTP."""

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from tfvae._activity import ACTIVE_THRESHOLD, collapse
from tfvae._display import Display, Layout
from tfvae.data import Split
from tfvae.data.classes import UNKNOWN
from tfvae.serving.explore.choices import Choices
from tfvae.serving.explore.exported_programs import ExportedPrograms
from tfvae.serving.explore.model_input import ModelInput, has_dark_border
from tfvae.serving.explore.plane import principal_plane
from tfvae.serving.explore.terms import NUM_SAMPLES

if TYPE_CHECKING:
    from tfvae.models import VAE
    from tfvae.serving.explore.explored_table import ExploredTable
    from tfvae.serving.explore.loading import Loading
    from tfvae.serving.explore.programs import Programs


class Encoded(NamedTuple):
    """Posterior and ELBO of one x, in nats.

    Attributes:
        loc: Mean of q(z|x) `[D]`.
        scale: Standard deviation of q(z|x) `[D]`.
        elbo: The ELBO, averaged over `NUM_SAMPLES` draws of z.
        log_likelihood: First term of the ELBO.
        kl: Second term of the ELBO, which is subtracted.
        bits_per_dim: The negative ELBO in bits per dimension; for dequantised data, the width of a level is included.
        probs: Probabilities q(y|x) `[K]` of the classes, for a model with labels.
    """

    loc: list[float]
    scale: list[float]
    elbo: float
    log_likelihood: float
    kl: float
    bits_per_dim: float
    probs: list[float]


class ExploredModel:
    """A model with its examples, which are encoded once. All later requests call compiled functions.

    A conditional model is steered by a condition, and a model with labels, such as M2, by the label among its latents:
    `choices`. Each example has its own: its condition, or its label if it is known, else the most probable class.

    Args:
        vae: Trained model whose z is one vector of floating-point numbers, besides a label if there is one. Or the
            functions of an exported model, which is not one of tables.
        examples: Examples that the map shows, in memory, in the form that the likelihood models, with their conditions
            for a conditional model.
        name: Name of the run, for the title of the page.
        model_input: Conversion of a user's own image to x.
        training: Training rows of a table, among which the page finds the nearest one. None takes the examples.

    Attributes:
        table: The columns, for the rows of a table, or None.

    Raises:
        ValueError: If z is not a vector, or the examples do not fit the model or have no conditions.

    Example:
        >>> explored = ExploredModel(vae, splits.test, name="digits")
        >>> explored.decode(np.zeros([1, 2], "float32")).shape
        (1, 8, 8, 1)
    """

    table: "ExploredTable | None" = None

    def __init__(
        self,
        vae: "VAE | ExportedPrograms",
        examples: Split,
        *,
        name: str,
        model_input: ModelInput | None = None,
        training: Split | None = None,
    ):
        self.name, self.event_shape = name, examples.event_shape
        self._examples, self._x = examples, examples.x
        mask = examples.observed
        if mask is not None:
            self._x = np.where(mask, self._x, np.float32(0))
        self._programs = _programs_of(vae, examples)
        self.latent_size = self._programs.latent_size
        self.choices = self._choices()
        self._programs.check(self._x, None if self.choices is None else self.choices.of_examples, mask)
        self._display = Display.of(self._x)
        self._input = model_input or ModelInput("range", *examples.value_range)
        steer = None if self.choices is None else self.choices.of_examples
        self._terms = self._programs.terms(self._x, steer, mask)
        if examples.schema is not None:
            from tfvae.serving.explore.explored_table import ExploredTable

            columns = (examples.schema, self._programs, examples, training or examples, steer)
            self.table = ExploredTable(cast("VAE", vae), *columns)
        self._classes, self._class_of = _classes(examples)
        self._prior_mean, self._prior_stddev = self._programs.prior_moments(steer)
        self.decode(np.zeros([1, self.latent_size], np.float32))  # traced now, so that the first request is fast
        self.decode(np.zeros([2, self.latent_size], np.float32))
        if self.loading is None:
            self.encode(self._x[0])

    @property
    def loading(self) -> "Loading[Programs] | None":
        """Loading of the model itself, which ELBO and log p(x) wait for. None if it is loaded already."""
        return self._programs.loading

    def _choices(self) -> Choices | None:
        """Returns what a visitor may choose besides z. None for a model that nothing steers."""
        if self._programs.labels is not None:
            return Choices.of_labels(self._examples, self._programs.classify(self._x, self._examples.observed))
        shape = self._programs.steer_shape
        return None if shape is None else Choices.of_condition(self._examples, shape)

    def _check_one(self, x: np.ndarray, steer: np.ndarray | None) -> None:
        """Raises ValueError if the model does not accept one x `[*event]`, of which at least one value is known."""
        mask = ~np.isnan(x[np.newaxis])
        self._programs.check(np.where(mask, x, np.float32(0)), steer, mask if self.takes_missing else None)

    def _steer(self, choice: str | None, count: int) -> np.ndarray | None:
        """Returns the condition, or the label, of a choice, `[count, *shape]`. None without choices."""
        if self.choices is None:
            return None
        chosen = self.choices.read(choice)
        return np.broadcast_to(chosen, (count, *chosen.shape))

    def __len__(self) -> int:
        return len(self._x)

    @property
    def takes_missing(self) -> bool:
        """Whether NaN in the row of a table is a missing value."""
        return self.table is not None and self.table.takes_missing

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
            "words": "" if self.table else display.caption(),
            "columns": None if self.table is None else self.table.describe(),
            "takes_missing": self.takes_missing,
            "latent_size": self.latent_size,
            "num_examples": len(self),
            "classes": self._classes,
            "choice": None if self.choices is None else self.choices.describe(),
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
        }

    @functools.cached_property
    def elbo_of_examples(self) -> dict[str, Any]:
        """Describes the ELBO of the examples, with whose quantiles the page compares that of a user's image."""
        quantiles = np.quantile(self._terms.elbo.astype(np.float64), np.linspace(0.0, 1.0, 101))
        return {"num_samples": NUM_SAMPLES, "quantiles": [float(q) for q in quantiles if math.isfinite(q)]}

    def _has_dark_border(self, layout: Layout | None) -> bool:
        if layout is None or layout.pixels is not None:
            return False
        low, high = float(self._display.low), float(self._display.high)
        return has_dark_border(self._x.reshape(len(self), *layout.shape), low, high)

    def points(self) -> bytes:
        """Returns E[z|x] of the examples `[N, D]` as float32, then their class indices `[N]` as int32, -1 for none.

        Their choices follow: the class of the condition or label `[N]` as int32, or the numbers `[N, K]` as float32.
        """
        chosen = b"" if self.choices is None else self.choices.to_bytes()
        return self._terms.loc.astype("<f4").tobytes() + self._class_of.astype("<i4").tobytes() + chosen

    def decode(self, z: np.ndarray, choice: str | None = None) -> np.ndarray:
        """Returns the mean of p(x|z), float32 `[N, *event]`, for z `[N, D]` and a choice, as `Choices.read` takes it.

        Raises:
            ValueError: If there is no such choice.
        """
        return self._programs.decode(z, self._steer(choice, len(z)))

    def example(self, index: int) -> np.ndarray:
        """Returns an example and the mean of p(x|z) at its E[z|x] and own choice, float32 `[2, *event]`."""
        row = slice(index, index + 1)
        own = None if self.choices is None else self.choices.of_examples[row]
        return np.stack([self._x[index], self._programs.decode(self._terms.loc[row], own)[0]]).astype(np.float32)

    def encode(self, x: np.ndarray, seed: int = 0, choice: str | None = None) -> Encoded:
        """Encodes one x `[*event]` with a condition. A label is the most probable one instead.

        Raises:
            ValueError: If the likelihood does not accept the values of x, or there is no such choice.
        """
        steer, probs = self._steer(choice, 1), np.zeros(0, np.float32)
        self._check_one(x, steer)
        if self._programs.labels is not None:
            probs = self._programs.classify_one(x[np.newaxis])
            steer = np.eye(len(probs), dtype=np.float32)[[probs.argmax()]]
        terms = self._programs.terms_of_one(x[np.newaxis], seed, steer)
        elbo = float(terms.elbo[0])
        width = math.log2(self._input.num_levels) if self._input.num_levels else 0.0
        return Encoded(
            loc=[float(value) for value in terms.loc[0]],
            scale=[float(value) for value in terms.scale[0]],
            elbo=elbo,
            log_likelihood=float(terms.log_likelihood[0]),
            kl=float(terms.kl[0]),
            bits_per_dim=width - elbo / (math.prod(self.event_shape) * math.log(2.0)),
            probs=[float(value) for value in probs],
        )

    def log_marginal(self, x: np.ndarray, seed: int = 0, choice: str | None = None) -> float:
        """Returns log p(x) of one x `[*event]`, or log p(x|c) for a condition, in nats. It sums over labels.

        Raises:
            ValueError: If the likelihood does not accept the values of x, or there is no such choice.
        """
        steer = self._steer(choice, 1)
        self._check_one(x, steer)
        return self._programs.log_marginal(x[np.newaxis], seed, steer)

    def row(self, z: np.ndarray, choice: str | None = None) -> dict[str, Any]:
        """Returns `ExploredTable.row` of z `[1, D]`, for the rows of a table."""
        return self._table().row(z, self._steer(choice, 1))

    def columns_of(self, x: np.ndarray, seed: int = 0, choice: str | None = None) -> dict[str, Any]:
        """Returns `ExploredTable.columns_of` a row x `[D]`.

        Raises:
            ValueError: If the likelihood does not accept the values of x, or there is no such choice.
        """
        steer = self._steer(choice, 1)
        self._check_one(x, steer)
        return self._table().columns_of(x, steer, seed)

    def _table(self) -> "ExploredTable":
        if self.table is None:
            raise ValueError("This model has no columns. Expected a model of a table, whose examples have a schema.")
        return self.table

    def draw(self, num_samples: int, seed: int, choice: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws the z ~ p(z) `[N, D]` of `vae.sample`, and returns them with the means of p(x|z) `[N, *event]`."""
        z = self._programs.prior_draws(num_samples, seed, self._steer(choice, num_samples))
        return z, self.decode(z, choice)


def _classes(examples: Split) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Returns the labels with their counts, and the index of each example's label `[N]`, -1 for none."""
    class_of = np.full(len(examples), -1)
    if examples.labels is None:
        return [], class_of
    is_known = examples.labels != UNKNOWN
    values, class_of[is_known], counts = np.unique(examples.labels[is_known], return_inverse=True, return_counts=True)
    names = examples.class_names
    labels = [int(value) if names is None else names[value] for value in values]
    return [{"label": label, "count": int(count)} for label, count in zip(labels, counts, strict=True)], class_of


def _programs_of(vae: "VAE | ExportedPrograms", examples: Split) -> Any:
    """Returns the programs that the page calls: those of an exported model, or new ones of a model."""
    if isinstance(vae, ExportedPrograms):
        return vae
    from tfvae.serving.explore.programs import Programs

    return Programs.of_examples(vae, examples)
