"""Functions of the model that the explore page calls, compiled once for batches of fixed size."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import elbo_terms
from tfvae.models import VAE
from tfvae.typing import Tensor

# The image at the cursor is decoded alone; frames of a path and all other images are decoded in batches.
_ONE, _DECODE_BATCH = 1, 32
_ENCODE_BATCH = 100
# Draws of z for the ELBO of one image. The ELBO of an example on the map has one draw.
NUM_SAMPLES = 64


class Terms(NamedTuple):
    """Posterior moments and ELBO terms of examples.

    Attributes:
        loc: Mean of q(z|x) `[N, D]`.
        scale: Standard deviation of q(z|x) `[N, D]`.
        log_likelihood: E_q[log p(x|z)] `[N]`, nats.
        kl: KL(q(z|x) || p(z)) `[N]`, nats.
    """

    loc: np.ndarray
    scale: np.ndarray
    log_likelihood: np.ndarray
    kl: np.ndarray

    @property
    def elbo(self) -> np.ndarray:
        """The ELBO `[N]`, nats."""
        return self.log_likelihood - self.kl


class Programs:
    """Compiled decoder, encoder and ELBO of a trained model, each traced once per batch size.

    Batches are padded to one of a few sizes, so that another number of examples never causes another trace.

    Args:
        vae: The model; z is a vector.
        event_shape: Shape of one x.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...]):
        self._vae, self._dtype = vae, tf.as_dtype(vae.variable_dtype)
        self._event_shape, self._latent_size = event_shape, int(vae.latent_shape[0])
        self._decoders = {size: self._compiled(self._decode, self._z(size)) for size in (_ONE, _DECODE_BATCH)}
        seed = tf.TensorSpec([2], tf.int32)
        self._terms_of_many = self._compiled(self._terms_fn(1), self._x(_ENCODE_BATCH), seed)
        self._terms_of_one = self._compiled(self._terms_fn(NUM_SAMPLES), self._x(1), seed)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Returns the mean of p(x|z), float32 `[N, *event]`, for z `[N, D]`."""
        size = _ONE if len(z) <= _ONE else _DECODE_BATCH
        parts = [self._decoders[size](_padded(z[i : i + size], size)).numpy() for i in range(0, len(z), size)]
        return np.concatenate(parts)[: len(z)].astype(np.float32, copy=False)

    def terms(self, x: np.ndarray) -> Terms:
        """Computes the posterior moments and ELBO terms of examples `[N, *event]`, with one draw of z each."""
        parts = [
            self._terms_of_many(_padded(x[start : start + _ENCODE_BATCH], _ENCODE_BATCH), fold_in(0, i))
            for i, start in enumerate(range(0, len(x), _ENCODE_BATCH))
        ]
        columns = (np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True))
        return Terms(*(column[: len(x)].astype(np.float32) for column in columns))

    def terms_of_one(self, x: np.ndarray, seed: int) -> Terms:
        """Computes the terms of one example `[1, *event]`: those of `vae.elbo` with `NUM_SAMPLES` and this seed."""
        return Terms(*(part.numpy() for part in self._terms_of_one(x, stateless_seed(seed))))

    def _decode(self, z: Tensor) -> Tensor:
        return tf.cast(self._vae.generate(tf.cast(z, self._dtype)).mean(), tf.float32)

    def _terms_fn(self, num_samples: int) -> Any:
        vae = self._vae

        def terms(x: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
            x = tf.cast(x, self._dtype)
            problem = vae.problem(x)
            posterior, found = problem.posterior, elbo_terms(problem, num_samples=num_samples, seed=seed)
            return posterior.mean(), posterior.stddev(), found.log_likelihood, found.kl

        return terms

    def _x(self, size: int) -> tf.TensorSpec:
        return tf.TensorSpec([size, *self._event_shape], tf.float32)

    def _z(self, size: int) -> tf.TensorSpec:
        return tf.TensorSpec([size, self._latent_size], tf.float32)

    @staticmethod
    def _compiled(fn: Any, *specs: tf.TensorSpec) -> Any:
        return tf.function(fn, input_signature=specs, autograph=False)


def _padded(batch: np.ndarray, size: int) -> np.ndarray:
    """Returns the batch, padded to `size` rows by repeating its last row."""
    missing = size - len(batch)
    return batch if not missing else np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
