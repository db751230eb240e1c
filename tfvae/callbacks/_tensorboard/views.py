"""What one can look at in a VAE, without disturbing its training."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae._dimensions import is_vector, kl_per_dimension
from tfvae._numerics import as_float
from tfvae._seeds import split_seed
from tfvae.models import VAE
from tfvae.typing import Tensor

NUM_DRAWS = 8  # of each posterior


class Encoding(NamedTuple):
    """What q(z|x) is for a batch.

    Attributes:
        statistics: by name, as many as are known in closed form: `mean` and `stddev` `[B, D]`; `kl_per_dimension`
            `[D]`, nats averaged over the batch, of the marginals where the dimensions depend on each other.
        z: draws `[NUM_DRAWS, B, D]`, or a nest of such.
    """

    statistics: dict[str, Tensor]
    z: Any


class ModelViews:
    """Compiled functions of a VAE's present weights that always draw the same noise.

    They leave the model as it was, its random state included: training goes on as if nobody had looked.

    Args:
        model: the VAE.
        seed: the seed of all noise.
    """

    def __init__(self, model: VAE, *, seed: int):
        self._model = model
        self._seed_z, self._seed_x, self._seed_prior, self._seed_step = split_seed(seed, 4, "views")
        self._encode = _Traced(self._encoding)
        self._decode = _Traced(self._decoding)
        self._draw = tf.function(self._prior_draws, autograph=False)
        self._norm = _Traced(self._gradient_norm)

    @property
    def has_vector_latents(self) -> bool:
        """Whether z is one vector of numbers, which can be walked through."""
        return is_vector(self._model.prior.distribution())

    def encode(self, x: Tensor) -> Encoding:
        """What q(z|x) is for x `[B, *event]`."""
        with _state_kept(self._model):
            return Encoding(*self._encode(as_float(x)))

    def decode(self, z: Any) -> Tensor:
        """The means of p(x|z) `[N, *event]` for z `[N, D]`, or draws where it does not know its mean."""
        with _state_kept(self._model):
            return self._decode(z)

    def from_prior(self, num_samples: int) -> Any:
        """Draws of the prior `[num_samples, D]`, or a nest of such: the same noise at every call."""
        with _state_kept(self._model):
            return self._draw(num_samples)

    def gradient_norm(self, x: Tensor) -> Tensor:
        """The norm of the loss' gradient in all trained weights, for one step on x `[B, *event]` that is not taken."""
        with _state_kept(self._model):
            return self._norm(as_float(x))

    def graph(self, x: Tensor) -> tf.Graph:
        """How p(x|z) comes from x: encoder, draw, decoder."""

        def call(x: Tensor) -> Tensor:
            return self._decoding(self._model.infer(x).sample(seed=self._seed_z))

        with _state_kept(self._model):
            return _Traced(call).function_of(as_float(x)).graph

    def _encoding(self, x: Tensor) -> tuple[dict[str, Tensor], Any]:
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
        # A latent of several parts has no one histogram.
        statistics = {name: value for name, value in statistics.items() if tf.is_tensor(value)}
        return statistics, posterior.sample(NUM_DRAWS, seed=self._seed_z)

    def _decoding(self, z: Any) -> Tensor:
        likelihood = self._model.generate(z)
        try:
            return likelihood.mean()
        except NotImplementedError:  # a likelihood without a mean in closed form
            return likelihood.sample(seed=self._seed_x)

    def _prior_draws(self, num_samples: int) -> Any:
        return self._model.prior.distribution().sample(num_samples, seed=self._seed_prior)

    def _gradient_norm(self, x: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            estimate = self._model.estimate(x, training=True, seed=self._seed_step)
            loss = self._model.loss_of(estimate.surrogate_loss)
        gradients = tape.gradient(loss, self._model.trainable_variables)
        return tf.linalg.global_norm([gradient for gradient in gradients if gradient is not None])


class _Traced:
    """A function of batches, traced once, for any number of examples."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = tf.function(function, autograph=False)
        self._traced: Any = None

    def __call__(self, batch: Any) -> Any:
        if self._traced is None:
            self._traced = self.function_of(batch)
        return self._traced(batch)

    def function_of(self, batch: Any) -> Any:
        """The concrete function, of batches like this one."""
        return self._function.get_concrete_function(
            tf.nest.map_structure(lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), batch)
        )


@contextlib.contextmanager
def _state_kept(model: keras.Model) -> Iterator[None]:
    """Puts every variable that is not trained back: seeds, which an encoder may use as it likes, running means."""
    before = [(variable, tf.identity(variable.value)) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
