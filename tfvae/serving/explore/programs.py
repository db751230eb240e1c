"""Functions of the model that the explore page calls, compiled once for batches of fixed size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._seeds import fold_in, stateless_seed
from tfvae.data import Split
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.estimators import elbo_terms, importance_estimate
from tfvae.export.labels import Labels, labels_of
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.queries import sample_prior
from tfvae.priors import Conditional
from tfvae.serving.explore.prior_moments import prior_moments
from tfvae.serving.explore.shown_row import shown_row
from tfvae.serving.explore.terms import NUM_IMPORTANCE_SAMPLES, NUM_SAMPLES, Terms
from tfvae.typing import Distribution, Tensor

# The image at the cursor is decoded alone; frames of a path and all other images are decoded in batches.
_ONE, _DECODE_BATCH = 1, 32
_ENCODE_BATCH = 100


class Programs:
    """Compiled decoder, encoder and ELBO of a trained model, each traced once per batch size.

    Batches are padded to one of a few sizes, so that another number of examples never causes another trace.

    A model may be steered: by the condition of a conditional model, or by the label y of a model with labels. `steer`
    is the condition or y, float32 `[N, *steer_shape]`. It is None for other models. With labels, z is the first other
    part of the prior here. Further parts, such as z1 of p(z1|y, z2) in stacked models, are at their means.

    Args:
        vae: The model; z is a vector.
        event_shape: Shape of one x.
        has_missing: Whether examples have missing values.
        shown: Function from p(x|z) to the values that are shown.

    Attributes:
        loading: None, because the model is loaded.
        labels: The label among the latents, or None.
        steer_shape: Shape of one `steer`, or None.

    Raises:
        ValueError: If z is not a vector, or both a condition and a label steer the model.
    """

    loading = None

    def __init__(
        self,
        vae: VAE,
        event_shape: tuple[int, ...],
        *,
        has_missing: bool = False,
        shown: Callable[[Distribution], Tensor] = lambda likelihood: likelihood.mean(),
    ):
        self.labels: Labels | None = labels_of(vae)
        self._vae, self._dtype, self._event_shape = vae, tf.as_dtype(vae.variable_dtype), event_shape
        self._shown, self._has_missing = shown, has_missing
        self._part, self.latent_size = _vector_of(vae, self.labels)
        self.steer_shape = vae.condition_shape if self.labels is None else (self.labels.num_classes,)
        self._decoders = {size: self._compiled(self._decode, self._z(size)) for size in (_ONE, _DECODE_BATCH)}
        mask, mask_of_one = (
            [tf.TensorSpec([size, *event_shape], tf.bool)] if has_missing else [] for size in (_ENCODE_BATCH, 1)
        )
        seed = tf.TensorSpec([2], tf.int32)
        self._terms_of_many = self._compiled(self._terms_fn(1), self._x(_ENCODE_BATCH), seed, *mask)
        self._terms_of_one = self._compiled(self._terms_fn(NUM_SAMPLES), self._x(1), seed, *mask_of_one)
        self._log_marginal = self._compiled(self._log_marginal_fn, [*self._x(1), *mask_of_one], seed)
        x = [tf.TensorSpec([_ENCODE_BATCH, *event_shape], tf.float32)]
        self._classify_many = self._compiled(self._classify, x, *mask)
        self._classify_one = self._compiled(self._classify, [tf.TensorSpec([1, *event_shape], tf.float32)])

    @classmethod
    def of_examples(cls, vae: VAE, examples: Split) -> "Programs":
        """Compiles the functions for examples of this kind."""
        summary = {} if examples.schema is None else {"shown": shown_row(examples.schema)}
        return cls(vae, examples.event_shape, has_missing=examples.observed is not None, **summary)

    def decode(self, z: np.ndarray, steer: np.ndarray | None = None) -> np.ndarray:
        """Returns the mean of p(x|z), float32 `[N, *event]`, for z `[N, D]`."""
        size = _ONE if len(z) <= _ONE else _DECODE_BATCH
        parts = [
            self._decoders[size](*(_padded(part[i : i + size], size) for part in _given(z, steer))).numpy()
            for i in range(0, len(z), size)
        ]
        return np.concatenate(parts)[: len(z)].astype(np.float32, copy=False)

    def terms(self, x: np.ndarray, steer: np.ndarray | None = None, observed: np.ndarray | None = None) -> Terms:
        """Computes the posterior moments and ELBO terms of examples `[N, *event]`, with one draw of z each."""
        parts = []
        for i, start in enumerate(range(0, len(x), _ENCODE_BATCH)):
            rows = slice(start, start + _ENCODE_BATCH)
            first = [_padded(part[rows], _ENCODE_BATCH) for part in _given(x, steer)]
            mask = [_padded(observed[rows], _ENCODE_BATCH)] if observed is not None else []
            parts.append(self._terms_of_many(*first, fold_in(0, i), *mask))
        columns = (np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True))
        return Terms(*(column[: len(x)].astype(np.float32) for column in columns))

    def terms_of_one(self, x: np.ndarray, seed: int, steer: np.ndarray | None = None) -> Terms:
        """Computes the terms of one example `[1, *event]`: those of `vae.elbo` with `NUM_SAMPLES` and this seed.

        NaN is a missing value if examples have missing values.
        """
        x, mask = self._observed(x)
        return Terms(*(part.numpy() for part in self._terms_of_one(*_given(x, steer), stateless_seed(seed), *mask)))

    def log_marginal(self, x: np.ndarray, seed: int, steer: np.ndarray | None = None) -> float:
        """Returns log p(x), or log p(x|c), of one example `[1, *event]`, as `evaluation.log_marginal` estimates it."""
        x, mask = self._observed(x)
        return float(self._log_marginal(*_given(x, steer), *mask, stateless_seed(seed)).numpy()[0])

    def _observed(self, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Returns x with zeros at missing values, and the mask of the others, if values may be missing."""
        mask = ~np.isnan(x)
        return (np.where(mask, x, np.float32(0)), [mask]) if self._has_missing else (x, [])

    def classify(self, x: np.ndarray, observed: np.ndarray | None = None) -> np.ndarray:
        """Returns the probabilities q(y|x) `[N, K]`, for a model with labels."""
        parts = []
        for start in range(0, len(x), _ENCODE_BATCH):
            rows = slice(start, start + _ENCODE_BATCH)
            given = [_padded(part[rows], _ENCODE_BATCH) for part in _given(x, observed)]
            parts.append(self._classify_many(*given).numpy())
        return np.concatenate(parts)[: len(x)]

    def classify_one(self, x: np.ndarray) -> np.ndarray:
        """Returns the probabilities q(y|x) `[K]` of one example `[1, *event]`."""
        return self._classify_one(x).numpy()[0]

    def prior_draws(self, num_samples: int, seed: int, steer: np.ndarray | None = None) -> np.ndarray:
        """Draws the z ~ p(z), or p(z|c), of `vae.sample`, float32 `[N, D]`."""
        given: Any = None if steer is None else tf.cast(steer, self._dtype)
        if self.labels is None:
            z: Any = sample_prior(self._vae.prior_of(given), num_samples, seed=seed).z
        else:
            z = sample_prior(self._vae.prior_of(), num_samples, seed=seed, given={self.labels.part: given}).z
        return np.asarray(z[self._part] if self._part else z, np.float32)

    def check(self, x: np.ndarray, steer: np.ndarray | None, observed: np.ndarray | None) -> None:
        """Raises ValueError if the model does not accept x `[N, *event]`."""
        condition = steer if self.labels is None else None
        given = {"x": x, CONDITION: condition, OBSERVED: observed}
        self._vae.check_data({name: value for name, value in given.items() if value is not None})

    def prior_moments(self, steer: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns the mean and the standard deviation of the prior `[D]`, over all conditions or labels."""
        return prior_moments(self.prior(steer))

    def prior(self, steer: np.ndarray | None = None) -> Distribution:
        """Returns the prior of z: p(z), or p(z|c) of batch shape `[N]`."""
        if self.labels is None:
            return self._vae.prior_of(None if steer is None else tf.cast(steer, self._dtype))
        prior: Any = self._vae.prior_of()
        value = None if steer is None else {self.labels.part: tf.cast(steer, self._dtype)}
        return prior.sample_distributions(value=value, seed=(0, 0))[0][self._part]

    def likelihood(self, z: Tensor, steer: Tensor | None = None) -> Distribution:
        """Returns p(x|z) for z `[N, D]`."""
        z, steer = tf.cast(z, self._dtype), None if steer is None else tf.cast(steer, self._dtype)
        if self.labels is None:
            return self._vae.generate(z, condition=steer)
        return self._vae.generate(_with_means(self._vae.prior_of(), {self.labels.part: steer, self._part: z}))

    def _decode(self, z: Tensor, steer: Tensor | None = None) -> Tensor:
        return tf.cast(self._shown(self.likelihood(z, steer)), tf.float32)

    def _terms_fn(self, num_samples: int) -> Any:
        vae = self._vae

        def of(x: Tensor, steer: Tensor | None, seed: Tensor, observed: Tensor | None) -> tuple[Tensor, ...]:
            steer = None if steer is None else tf.cast(steer, self._dtype)
            condition = steer if self.labels is None else None
            problem = vae.problem(Batch(tf.cast(x, self._dtype), condition, observed=observed))
            posterior: Any = problem.posterior
            found = elbo_terms(problem, num_samples=num_samples, seed=seed)
            if self.labels is not None:
                value = _with_means(posterior, {self.labels.part: steer}, until=self._part)
                posterior = posterior.sample_distributions(value=value, seed=seed)[0][self._part]
            return posterior.mean(), posterior.stddev(), found.log_likelihood, found.kl

        if self.steer_shape is None:
            return lambda x, seed, observed=None: of(x, None, seed, observed)
        return lambda x, steer, seed, observed=None: of(x, steer, seed, observed)

    def _log_marginal_fn(self, x: Tensor, *others: Tensor) -> Tensor:
        """Takes x, the condition or label if there is one, the mask if values may be missing, and the seed."""
        *steer, seed = others
        observed = steer.pop() if self._has_missing else None
        condition = tf.cast(steer[0], self._dtype) if steer and self.labels is None else None
        estimate = importance_estimate(
            Batch(tf.cast(x, self._dtype), condition, observed=observed),
            self._vae.problem,
            num_importance_samples=NUM_IMPORTANCE_SAMPLES,
            seed=seed,
        )
        return estimate.log_marginal

    def _classify(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        posterior: Any = self._vae.infer(Batch(tf.cast(x, self._dtype), observed=observed))
        of_q, _ = posterior.sample_distributions(seed=(0, 0))  # as `vae.classify`
        part = "" if self.labels is None else self.labels.part
        return tf.cast(of_q[part].mean(), tf.float32)

    def _x(self, size: int) -> list[tf.TensorSpec]:
        return [tf.TensorSpec([size, *self._event_shape], tf.float32), *self._steer(size)]

    def _z(self, size: int) -> list[tf.TensorSpec]:
        return [tf.TensorSpec([size, self.latent_size], tf.float32), *self._steer(size)]

    def _steer(self, size: int) -> list[tf.TensorSpec]:
        return [] if self.steer_shape is None else [tf.TensorSpec([size, *self.steer_shape], tf.float32)]

    @staticmethod
    def _compiled(fn: Any, first: list[tf.TensorSpec], *specs: tf.TensorSpec) -> Any:
        return tf.function(fn, input_signature=[*first, *specs], autograph=False)


def _vector_of(vae: VAE, labels: Labels | None) -> tuple[str, int]:
    """Returns the part of z that the page shows, "" for a z of one part, and its length."""
    shapes: Any = vae.latent_shape
    dtypes: Any = vae.variable_dtype if isinstance(vae.prior, Conditional) else vae.prior.distribution().dtype
    part, shape, dtype = "", shapes, dtypes
    # The shapes are in the order of drawing from the prior.
    others = [] if labels is None else [name for name in shapes if name != labels.part]
    if others and vae.condition_shape is None:
        part, shape, dtype = others[0], shapes[others[0]], dtypes[others[0]]
    if not isinstance(shape, tuple) or len(shape) != 1 or not tf.as_dtype(dtype).is_floating:
        raise ValueError(
            "The page needs latents that are one vector of floating-point numbers, besides a label if there is one. "
            f"Received: a model whose z has event_shape={shapes}, dtype={dtypes}"
        )
    return part, int(shape[0])


def _with_means(joint: Any, parts: dict[str, Any], until: str = "") -> Any:
    """Adds the means of the other parts of a joint distribution, each given the parts before it, before one of them."""
    parts = dict(parts)
    for name, _ in joint.resolve_graph():
        if name == until:
            break
        if name not in parts:
            parts[name] = joint.sample_distributions(value=parts, seed=(0, 0))[0][name].mean()
    return parts


def _given(first: np.ndarray, steer: np.ndarray | None) -> list[np.ndarray]:
    return [first] if steer is None else [first, steer]


def _padded(batch: np.ndarray, size: int) -> np.ndarray:
    """Returns the batch, padded to `size` rows by repeating its last row."""
    missing = size - len(batch)
    return batch if not missing else np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
