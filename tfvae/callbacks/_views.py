"""What one can look at in a VAE: reconstructions, samples and its posterior, without disturbing its training."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import as_float
from tfvae._seeds import split_seed
from tfvae.estimators.kl_weighting import kl_per_factor
from tfvae.models import VAE
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class ModelViews:
    """Compiled functions of a VAE's present weights that always draw the same noise.

    They leave the model as it was, its random state included: training goes on as if nobody had looked.

    Args:
        model: the VAE.
        num_samples: how many samples `samples` draws.
        seed: the seed of all noise.
    """

    def __init__(self, model: VAE, *, num_samples: int, seed: int):
        self._model = model
        self._num_samples = num_samples
        self._seed_z, self._seed_x, self._seed_prior = split_seed(seed, 3, "views")
        # Traced once for a batch's shape; as in Keras' own steps, without AutoGraph.
        self._reconstructions = tf.function(self._reconstruct, autograph=False)
        self._samples = tf.function(self._sample, autograph=False)
        self._posterior_statistics = tf.function(self._describe_posterior, autograph=False)

    def reconstructions(self, x: Tensor) -> Tensor:
        """The means of p(x|z) `[B, *event]`, with one z drawn from q(z|x) for each x `[B, *event]`."""
        with _randomness_kept(self._model):
            return self._reconstructions(as_float(x))

    def samples(self) -> Tensor:
        """The means of p(x|z) `[num_samples, *event]`, for z from the prior: the same noise at every call."""
        with _randomness_kept(self._model):
            return self._samples()

    def posterior_statistics(self, x: Tensor) -> dict[str, Tensor]:
        """Numbers about q(z|x) by name, as many as are known in closed form.

        Returns:
            `mean` and `stddev` `[B, D]`, and, where posterior and prior are diagonal normals, `kl_per_dimension` `[D]`,
            nats averaged over the batch.
        """
        with _randomness_kept(self._model):
            return self._posterior_statistics(as_float(x))

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._picture_of(self._model.generate(self._model.infer(x).sample(seed=self._seed_z)))

    def _sample(self) -> Tensor:
        z = self._model.prior.distribution().sample(self._num_samples, seed=self._seed_prior)
        return self._picture_of(self._model.generate(z))

    def _picture_of(self, likelihood: Distribution) -> Tensor:
        try:
            return likelihood.mean()
        except NotImplementedError:  # a likelihood without a mean in closed form
            return likelihood.sample(seed=self._seed_x)

    def _describe_posterior(self, x: Tensor) -> dict[str, Tensor]:
        posterior, prior = self._model.infer(x), self._model.prior.distribution()
        statistics = {}
        with contextlib.suppress(NotImplementedError):
            statistics["mean"] = posterior.mean()
        with contextlib.suppress(NotImplementedError):
            statistics["stddev"] = posterior.stddev()
        kl = kl_per_factor(posterior, prior)  # [B, D]
        if kl is not None and kl.shape.rank == 2:
            statistics["kl_per_dimension"] = tf.reduce_mean(kl, axis=0)
        # A latent of several parts has no one histogram.
        return {name: value for name, value in statistics.items() if tf.is_tensor(value)}


@contextlib.contextmanager
def _randomness_kept(model: keras.Model) -> Iterator[None]:
    """Puts every seed generator of the model back: an encoder may draw numbers of its own, whatever seeds we pass."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    before = [tf.identity(state.value) for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)
