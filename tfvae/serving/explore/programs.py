"""The model's functions that the page calls, each compiled once for batches of fixed size."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import elbo_terms
from tfvae.models import VAE
from tfvae.typing import Tensor

# One picture that follows the mouse; the frames of a path and the rest are decoded by so many.
_FEW, _MANY = 1, 32
_BATCH_SIZE = 100
# Draws of z for the bound of one image; examples get one draw each.
NUM_SAMPLES = 64


class Terms(NamedTuple):
    """What the encoder and the bound say about examples.

    Attributes:
        loc: E[z|x] `[N, D]`.
        scale: the standard deviations of q(z|x) `[N, D]`.
        log_likelihood: E_q[log p(x|z)] `[N]`, nats.
        kl: KL(q(z|x) || p(z)) `[N]`, nats.
    """

    loc: np.ndarray
    scale: np.ndarray
    log_likelihood: np.ndarray
    kl: np.ndarray

    @property
    def elbo(self) -> np.ndarray:
        """The bound `[N]`, nats."""
        return self.log_likelihood - self.kl


class Programs:
    """Decoding, encoding and the bound of a trained model, without tracing after the first call of each.

    Batches are filled up to one of a few sizes, so that no number of examples makes another trace.

    Args:
        vae: the model; z is a vector.
        event_shape: of one x.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...]):
        self._vae, self._dtype = vae, tf.as_dtype(vae.variable_dtype)
        self._event_shape, self._latent_size = event_shape, int(vae.latent_shape[0])
        self._decoders = {size: self._compiled(self._decode, self._z(size)) for size in (_FEW, _MANY)}
        seed = tf.TensorSpec([2], tf.int32)
        self._terms_of_many = self._compiled(self._terms(1), self._x(_BATCH_SIZE), seed)
        self._terms_of_one = self._compiled(self._terms(NUM_SAMPLES), self._x(1), seed)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """The mean of p(x|z) `[N, *event]`, float32, for z `[N, D]`."""
        size = _FEW if len(z) <= _FEW else _MANY
        parts = [self._decoders[size](_filled(z[i : i + size], size)).numpy() for i in range(0, len(z), size)]
        return np.concatenate(parts)[: len(z)].astype(np.float32, copy=False)

    def examine(self, x: np.ndarray) -> Terms:
        """Encodings and bounds of many examples `[N, *event]`, with one draw each."""
        parts = [
            self._terms_of_many(_filled(x[start : start + _BATCH_SIZE], _BATCH_SIZE), fold_in(0, i))
            for i, start in enumerate(range(0, len(x), _BATCH_SIZE))
        ]
        columns = (np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True))
        return Terms(*(column[: len(x)].astype(np.float32) for column in columns))

    def examine_one(self, x: np.ndarray, seed: int) -> Terms:
        """Encoding and bound of one example `[1, *event]`, as `vae.elbo` with `NUM_SAMPLES` draws and this seed."""
        return Terms(*(part.numpy() for part in self._terms_of_one(x, stateless_seed(seed))))

    def _decode(self, z: Tensor) -> Tensor:
        return tf.cast(self._vae.generate(tf.cast(z, self._dtype)).mean(), tf.float32)

    def _terms(self, num_samples: int) -> Any:
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


def _filled(batch: np.ndarray, size: int) -> np.ndarray:
    """The batch with its last row repeated up to `size` rows."""
    missing = size - len(batch)
    return batch if not missing else np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
