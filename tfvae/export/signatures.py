"""A VAE as a plain TensorFlow module, one function for each question that is served."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import exact_kl
from tfvae._seeds import fold_in, split_seed
from tfvae.estimators import SGVB, log_weights
from tfvae.models import VAE
from tfvae.typing import Distribution, KLKind, Tensor

tfd = tfp.distributions

# Importance samples held in memory at once, for each example.
CHUNK_SIZE = 50

SIGNATURES = ("encode", "decode", "reconstruct", "sample", "elbo", "log_marginal")


class Signatures(tf.Module):
    """The functions of a VAE as graphs over `tf.Variable`s: nothing of Keras, TFP or tfvae is left in them.

    Every number is a function of the inputs and of `seed` alone; for the same seed it is the live model's:
    `encode` draws `vae.encode(x).sample(seed=seed)`, `decode` draws `vae.decode(z).sample(seed=seed)`, `reconstruct`'s
    mean is `vae.reconstruct(x, seed=seed)`, `sample` draws `vae.sample(num_samples, seed=seed)`.

    Args:
        vae: a built model, with one tensor of latents.
        event_shape: the shape of one x.

    Attributes:
        model_variables: the `tf.Variable`s that the functions read.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...]):
        super().__init__(name="vae")
        x = tf.TensorSpec([None, *event_shape], tf.float32, name="x")
        z = tf.TensorSpec([None, *vae.latent_shape], tf.float32, name="z")
        num_samples = tf.TensorSpec([], tf.int32, name="num_samples")
        seed = tf.TensorSpec([2], tf.int32, name="seed")
        answers = _Answers(vae)
        self.encode = _function(answers.encode, x, seed)
        self.decode = _function(answers.decode, z, seed)
        self.reconstruct = _function(answers.reconstruct, x, seed)
        self.sample = _function(answers.sample, num_samples, seed)
        self.elbo = _function(answers.elbo, x, num_samples, seed)
        self.log_marginal = _function(answers.log_marginal, x, num_samples, seed)
        traced = [getattr(self, name).get_concrete_function() for name in SIGNATURES]
        read = {id(variable): variable for function in traced for variable in function.graph.variables}
        in_order = [read.pop(id(v.value)) for v in vae.variables if id(v.value) in read]
        # What is left belongs to no layer, such as a variable in the TFP distribution of a `Fixed` prior.
        self.model_variables = [*in_order, *read.values()]

    def by_name(self) -> dict[str, Any]:
        """The functions by signature; `serving_default` is `reconstruct`."""
        return {**{name: getattr(self, name) for name in SIGNATURES}, "serving_default": self.reconstruct}


def _function(answer: Callable[..., dict[str, Tensor]], *specs: tf.TensorSpec) -> Any:
    @functools.wraps(answer)
    def traced(*args: Tensor, **kwargs: Tensor) -> dict[str, Tensor]:
        return {name: tf.cast(value, tf.float32) for name, value in answer(*args, **kwargs).items()}

    return tf.function(traced, input_signature=specs, autograph=False)


class _Answers:
    """What each signature computes, as Python functions to be traced."""

    def __init__(self, vae: VAE):
        self.vae = vae
        self.dtype = tf.float64 if vae.variable_dtype == "float64" else tf.float32
        self.seed_states = [v for v in vae.variables if v.name == "seed_generator_state"]

    def encode(self, x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        posterior = self._posterior(x, seed)
        return {**_parameters(posterior), "z": posterior.sample(seed=seed)}

    def decode(self, z: Tensor, seed: Tensor) -> dict[str, Tensor]:
        return _mean_and_sample(self._likelihood(tf.cast(z, self.dtype), seed), seed)

    def reconstruct(self, x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        z = self._posterior(x, seed).sample(seed=seed)
        (seed_x,) = split_seed(seed, 1, "reconstruct")
        return _mean_and_sample(self._likelihood(z, seed), seed_x)

    def sample(self, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        seed_z, seed_x = split_seed(seed, 2, "ancestral")  # as VAE.sample has it
        z = self.vae.prior.distribution().sample(_at_least_one(num_samples), seed=seed_z)
        return _mean_and_sample(self._likelihood(z, seed), seed_x)

    def elbo(self, x: Tensor, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        x, num_samples = tf.cast(x, self.dtype), _at_least_one(num_samples)
        posterior, prior = self._posterior(x, seed), self.vae.prior.distribution()
        estimator = SGVB(num_samples=1, kl=_kl_kind(posterior, prior))

        def add_one(step: Tensor, *sums: Tensor) -> tuple[Tensor, ...]:
            seed_s = fold_in(seed, step)
            estimate = estimator(x, posterior, prior, lambda z: self._likelihood(z, seed_s), seed=seed_s)
            terms = (estimate.bound, estimate.log_likelihood, estimate.kl)
            return step + 1, *(total + term for total, term in zip(sums, terms, strict=True))

        zeros = tf.zeros(tf.shape(x)[:1], x.dtype)
        _, *sums = tf.while_loop(
            lambda step, *_: step < num_samples,
            add_one,
            (tf.constant(0), zeros, zeros, zeros),
            shape_invariants=(tf.TensorShape([]), *[tf.TensorShape([None])] * 3),
        )
        bound, log_likelihood, kl = (total / tf.cast(num_samples, x.dtype) for total in sums)
        return {"elbo": bound, "log_likelihood": log_likelihood, "kl": kl}

    def log_marginal(self, x: Tensor, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        """Log (1/K) sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x) (arXiv 1509.00519, equation 8)."""
        x, num_samples = tf.cast(x, self.dtype), _at_least_one(num_samples)
        posterior, prior = self._posterior(x, seed), self.vae.prior.distribution()

        def add_chunk(step: Tensor, num_drawn: Tensor, log_sum: Tensor) -> tuple[Tensor, ...]:
            seed_c = fold_in(seed, step)
            size = tf.minimum(CHUNK_SIZE, num_samples - num_drawn)  # the last chunk is as short as it needs to be
            chunk = log_weights(
                x, posterior, prior, lambda z: self._likelihood(z, seed_c), num_samples=size, seed=seed_c
            )  # [size, B]
            log_sum = tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], chunk], axis=0), axis=0)  # [B]
            return step + 1, num_drawn + size, log_sum

        log_zero = tf.fill(tf.shape(x)[:1], tf.constant(float("-inf"), x.dtype))
        _, _, log_sum = tf.while_loop(
            lambda step, num_drawn, log_sum: num_drawn < num_samples,
            add_chunk,
            (tf.constant(0), tf.constant(0), log_zero),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([None])),
            parallel_iterations=1,  # more would hold as many chunks at once
        )
        return {"log_marginal": log_sum - tf.math.log(tf.cast(num_samples, x.dtype))}

    def _posterior(self, x: Tensor, seed: Tensor) -> Distribution:
        with self._layers_seeded_by(seed):
            return self.vae.infer(tf.cast(x, self.dtype), training=False)

    def _likelihood(self, z: Tensor, seed: Tensor) -> Distribution:
        # A number of samples that is known only at run time makes some families forget their event shape.
        shape = self.vae.latent_shape
        z = tf.ensure_shape(z, [*[None] * (z.shape.rank - len(shape)), *shape])
        with self._layers_seeded_by(seed):
            return self.vae.generate(z, training=False)

    def _layers_seeded_by(self, seed: Tensor) -> keras.StatelessScope:
        # A layer that draws inside the networks takes its numbers from its own seed state. Here that state is a
        # function of `seed`, and nothing a layer does changes a variable.
        seeds = split_seed(seed, len(self.seed_states), "layers")
        pairs = zip(self.seed_states, seeds, strict=True)
        return keras.StatelessScope([(state, tf.cast(value, state.dtype)) for state, value in pairs])


def _parameters(posterior: Distribution) -> dict[str, Tensor]:
    """The posterior under the names of its family, each with the batch axis first."""
    if isinstance(posterior, tfd.MultivariateNormalDiag):
        return {"loc": posterior.mean(), "scale": posterior.stddev()}
    if isinstance(posterior, tfd.MultivariateNormalTriL):
        loc = posterior.mean()  # [B, D]
        shape = tf.concat([tf.shape(loc), tf.shape(loc)[-1:]], axis=0)
        return {"loc": loc, "scale_tril": tf.broadcast_to(posterior.scale.to_dense(), shape)}
    return _defined(mean=posterior.mean, stddev=posterior.stddev)


def _mean_and_sample(likelihood: Distribution, seed: Tensor) -> dict[str, Tensor]:
    return {**_defined(mean=likelihood.mean), "sample": likelihood.sample(seed=seed)}


def _defined(**moments: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Those moments that the family knows."""
    values = {}
    for name, moment in moments.items():
        try:
            values[name] = moment()
        except NotImplementedError:
            continue
    return values


def _kl_kind(posterior: Distribution, prior: Distribution) -> KLKind:
    try:
        exact_kl(posterior, prior)
    except NotImplementedError:
        return "monte_carlo"
    return "analytic"


def _at_least_one(num_samples: Tensor) -> Tensor:
    check = tf.debugging.Assert(num_samples >= 1, ["num_samples must be at least 1. Received:", num_samples])
    with tf.control_dependencies([check]):
        return tf.identity(num_samples)
