"""Views of a VAE that leave its training unchanged."""

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae._dimensions import is_vector, kl_per_dimension
from tfvae._numerics import as_float
from tfvae._seeds import split_seed, stateless_seed
from tfvae.layers import TableLikelihood
from tfvae.layers._networks import sublayers
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.queries import Latents, sample_posterior, sample_prior
from tfvae.models.styles import columns_of, example_styles, has_styles, prior_styles
from tfvae.tables import Schema
from tfvae.typing import Tensor

NUM_DRAWS = 8  # of each posterior

_views: weakref.WeakKeyDictionary[VAE, tuple[list[Any], "ModelViews"]] = weakref.WeakKeyDictionary()


def views_of(model: VAE, *, seed: int) -> "ModelViews":
    """Returns the views of a model, those of an earlier fit if they show the same parts with the same noise."""
    parts = [seed, *model.compiled_parts(), *model.trainable_variables]
    shown, views = _views.get(model, ([], None))
    if views is None or len(shown) != len(parts) or any(a is not b for a, b in zip(shown, parts, strict=True)):
        views = ModelViews(model, seed=seed)
        _views[model] = parts, views
    return views


class Encoding(NamedTuple):
    """Posterior of a batch.

    Attributes:
        statistics: Statistics by name, those that are known in closed form: `mean` and `stddev` `[B, D]`, and
            `kl_per_dimension` `[D]`, averaged over the batch, in nats. If the dimensions of z depend on each other, the
            KL is that of the marginals.
        z: Draws `[NUM_DRAWS, B, D]`, or a nest of such.
        latents: One more draw, that of `vae.reconstruct` with the same seed.
    """

    statistics: dict[str, Tensor]
    z: Any
    latents: Latents


class ModelViews:
    """Compiled functions of a VAE's current weights, with the same noise in every call.

    They restore the state of the model, random state included, so that training is the same with and without them.

    Args:
        model: The VAE.
        seed: Seed of all noise.
    """

    def __init__(self, model: VAE, *, seed: int):
        self._reference = weakref.ref(model)  # `views_of` must not keep the model alive
        self._seed = stateless_seed(seed)
        self._seed_z, self._seed_x, _, self._seed_step = split_seed(seed, 4, "views")
        self._encode = _BatchFunction(self._encoding)
        self._decode = _BatchFunction(self._decoding)
        self._draw = tf.function(self._prior_draws, autograph=False)
        self._norm = _BatchFunction(self._gradient_norm)

    @property
    def _model(self) -> Any:
        return self._reference()

    @property
    def has_vector_latents(self) -> bool:
        """Whether z is one vector of floating-point numbers."""
        shape = self._model.condition_shape
        return is_vector(self._model.prior_of(None if shape is None else tf.zeros([1, *shape])))

    @property
    def schema(self) -> Schema | None:
        """The columns of a model of a table, or None."""
        layers = (layer for layer in sublayers(self._model.decoder) if isinstance(layer, TableLikelihood))
        return next((layer.schema for layer in layers), None)

    @property
    def has_styles(self) -> bool:
        """Whether one style can be shown in several classes or under several conditions."""
        return has_styles(self._model)

    # Examples are x `[B, *event]` or a `Batch`, and conditions `[N, *shape]`.

    def encode(self, x: Tensor | Batch) -> Encoding:
        """Computes q(z|x) for examples."""
        with _restoring_state(self._model):
            return Encoding(*self._encode(_as_float(x)))

    def decode(self, z: Any, seed: Tensor | None = None, *, condition: Tensor | None = None) -> Tensor:
        """Computes the means of p(x|z) `[N, *event]` for z `[N, D]`, or samples if the mean is not defined."""
        with _restoring_state(self._model):
            return self._decode((z, condition), self._seed_x if seed is None else seed)

    def samples(self, num_samples: int, condition: Tensor | None = None) -> Tensor:
        """Computes the means of p(x|z) `[num_samples, *event]` for the z of `vae.sample` with the same seed."""
        with _restoring_state(self._model):
            latents = self._draw(num_samples, condition)
        return self.decode(*latents, condition=condition)

    def reconstructions(self, x: Tensor | Batch) -> Tensor:
        """Computes the means of p(x|z) `[B, *event]` for the z of `vae.reconstruct` with the same seed."""
        return self.decode(*self.encode(x).latents, condition=x.condition if isinstance(x, Batch) else None)

    def styles(self, examples: Batch, num_styles: int) -> tuple[Tensor, int]:
        """Computes the means of p(x|z) `[R * C, *event]` for styles of the prior in every class, and their number C."""
        columns = columns_of(self._model, examples)
        with _restoring_state(self._model):
            found = prior_styles(self._model, columns, num_styles, seed=self._seed_z)
        return self.decode(found.z, condition=found.condition), int(columns.shape[0])

    def analogies(self, examples: Batch) -> tuple[Tensor, int]:
        """Computes the means of p(x|z) `[B * C, *event]` for the styles of examples in every class, and C."""
        columns = columns_of(self._model, examples)
        with _restoring_state(self._model):
            found = example_styles(self._model, examples, columns, seed=self._seed_z)
        return self.decode(found.z, condition=found.condition), int(columns.shape[0])

    def gradient_norm(self, x: Tensor | Batch) -> Tensor:
        """Computes the norm of the gradient of the loss on examples, without taking a step."""
        with _restoring_state(self._model):
            return self._norm(_as_float(x))

    def graph(self, x: Tensor | Batch) -> tf.Graph:
        """Returns the graph from x to p(x|z): encoder, draw of z, decoder."""

        def call(x: Tensor | Batch) -> Tensor:
            condition = x.condition if isinstance(x, Batch) else None
            return self._decoding((self._model.infer(x).sample(seed=self._seed_z), condition), self._seed_x)

        with _restoring_state(self._model):
            return _BatchFunction(call).function_of(_as_float(x)).graph

    def _encoding(self, x: Tensor | Batch) -> tuple[dict[str, Tensor], Any, Latents]:
        problem = self._model.problem(x)
        posterior, prior = problem.posterior, problem.prior
        statistics = {}
        with contextlib.suppress(NotImplementedError):
            statistics["mean"] = posterior.mean()
        with contextlib.suppress(NotImplementedError):
            statistics["stddev"] = posterior.stddev()
        kl = kl_per_dimension(posterior, prior).exact  # [B, D]
        if kl is not None:
            statistics["kl_per_dimension"] = tf.reduce_mean(kl, axis=0)
        # Latents of several parts have no single histogram.
        statistics = {name: value for name, value in statistics.items() if tf.is_tensor(value)}
        z = posterior.sample(NUM_DRAWS, seed=self._seed_z)
        return statistics, z, sample_posterior(posterior, seed=self._seed)

    def _decoding(self, given: tuple[Any, Tensor | None], seed: Tensor) -> Tensor:
        likelihood = self._model.generate(given[0], condition=given[1])
        try:
            return likelihood.mean()
        except NotImplementedError:  # a likelihood without a mean in closed form
            return likelihood.sample(seed=seed)

    def _prior_draws(self, num_samples: int, condition: Tensor | None) -> Latents:
        return sample_prior(self._model.prior_of(condition), num_samples, seed=self._seed)

    def _gradient_norm(self, x: Tensor | Batch) -> Tensor:
        with tf.GradientTape() as tape:
            estimate = self._model.estimate(x, training=True, seed=self._seed_step)
            loss = self._model.loss_of(estimate.surrogate_loss)
        gradients = tape.gradient(loss, self._model.trainable_variables)
        return tf.linalg.global_norm([gradient for gradient in gradients if gradient is not None])


class _BatchFunction:
    """Function of a batch, and of tensors of fixed shape, that is traced once for any batch size."""

    def __init__(self, function: Callable[..., Any]):
        self._function = tf.function(function, autograph=False)
        self._traced: Any = None

    def __call__(self, batch: Any, *others: Tensor) -> Any:
        if self._traced is None:
            self._traced = self.function_of(batch, *others)
        return self._traced(batch, *others)

    def function_of(self, batch: Any, *others: Tensor) -> Any:
        """Returns the concrete function for batches like this one, of any size."""
        specs = tf.nest.map_structure(
            lambda part: None if part is None else tf.TensorSpec([None, *part.shape[1:]], part.dtype), batch
        )
        return self._function.get_concrete_function(specs, *map(tf.TensorSpec.from_tensor, others))


def _as_float(x: Tensor | Batch) -> Tensor | Batch:
    """Returns examples without labels, with x in floating point."""
    return x._replace(x=as_float(x.x), labels=None) if isinstance(x, Batch) else as_float(x)


@contextlib.contextmanager
def _restoring_state(model: keras.Model) -> Iterator[None]:
    """Restores all variables that are not trained, such as seeds and running means."""
    before = [(variable, tf.identity(variable.value)) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
