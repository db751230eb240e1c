"""A VAE as a plain TensorFlow module, one function for each question that is served."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import split_seed
from tfvae.estimators import Problem, averaged_elbo, importance_estimate
from tfvae.models import VAE
from tfvae.models.queries import ancestral_sample, reconstruction
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

SIGNATURES = ("encode", "decode", "reconstruct", "sample", "elbo", "log_marginal")
# Without draws, each example answered for itself; models exported by earlier versions do not have them.
MEANS = ("posterior", "likelihood")
# Their first argument is z.
_OF_LATENTS = ("decode", "likelihood")
# What a client gets that names no signature: TensorFlow's own name for it.
DEFAULT = "serving_default"


class Signatures(tf.Module):
    """The functions of a VAE as graphs over `tf.Variable`s: nothing of Keras, TFP or tfvae is left in them.

    Every number is a function of the inputs and of `seed` alone; for the same seed it is the live model's:
    `encode` draws `vae.encode(x).sample(seed=seed)`, `decode` draws `vae.decode(z).sample(seed=seed)`, `reconstruct`'s
    mean is `vae.reconstruct(x, seed=seed)`, `sample` draws `vae.sample(num_samples, seed=seed)` (`models.queries`).

    Args:
        vae: a built model, whose latents are one tensor or named parts.
        event_shape: the shape of one x.
        names: the functions to make, of `SIGNATURES`, `MEANS` and `DEFAULT`.

    Attributes:
        model_variables: the `tf.Variable`s that the functions read.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...], names: Sequence[str] = (*SIGNATURES, *MEANS, DEFAULT)):
        super().__init__(name="vae")
        x = tf.TensorSpec([None, *event_shape], tf.float32, name="x")
        parts = vae.latent_shape if isinstance(vae.latent_shape, Mapping) else None
        z = [
            tf.TensorSpec([None, *shape], tf.float32, name=part)
            for part, shape in ({"z": vae.latent_shape} if parts is None else parts).items()
        ]
        num_samples = tf.TensorSpec([], tf.int32, name="num_samples")
        seed = tf.TensorSpec([2], tf.int32, name="seed")
        inputs = {
            "encode": (x, seed),
            "decode": (*z, seed),
            "reconstruct": (x, seed),
            "sample": (num_samples, seed),
            "elbo": (x, num_samples, seed),
            "log_marginal": (x, num_samples, seed),
            "posterior": (x,),
            "likelihood": (*z,),
            DEFAULT: (x,),
        }
        answers = _Answers(vae)
        self._names = tuple(names)
        for name in names:
            answer = getattr(answers, name)
            if parts is not None and name in _OF_LATENTS:
                answer = _taking_parts(answer, list(parts))
            setattr(self, name, _function(answer, *inputs[name]))
        traced = [getattr(self, name).get_concrete_function() for name in names]
        read = {id(variable): variable for function in traced for variable in function.graph.variables}
        in_order = [read.pop(id(v.value)) for v in vae.variables if id(v.value) in read]
        # What is left belongs to no layer, such as a variable in the TFP distribution of a `Fixed` prior.
        self.model_variables = [*in_order, *read.values()]

    def by_name(self) -> dict[str, Any]:
        """The functions by signature."""
        functions = {name: getattr(self, name) for name in self._names}
        # A family that knows neither its parameters nor its moments has nothing to answer without a draw.
        return {name: function for name, function in functions.items() if _outputs(function)}


def described(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Shapes of what goes into and comes out of functions, by signature."""
    return {
        name: {
            "inputs": {spec.name: spec.shape.as_list() for spec in function.input_signature},
            "outputs": {key: spec.shape.as_list() for key, spec in _outputs(function).items()},
        }
        for name, function in functions.items()
    }


def _outputs(function: Any) -> dict[str, Any]:
    return function.get_concrete_function().structured_outputs


def _function(answer: Callable[..., dict[str, Tensor]], *specs: tf.TensorSpec) -> Any:
    @functools.wraps(answer)
    def traced(*args: Tensor, **kwargs: Tensor) -> dict[str, Tensor]:
        return {name: tf.cast(value, tf.float32) for name, value in answer(*args, **kwargs).items()}

    return tf.function(traced, input_signature=specs, autograph=False)


def _taking_parts(answer: Callable[..., dict[str, Tensor]], names: list[str]) -> Callable[..., dict[str, Tensor]]:
    """The answer to one input for each part of z, in place of a dictionary."""

    def taking_parts(*args: Tensor) -> dict[str, Tensor]:
        return answer(dict(zip(names, args[: len(names)], strict=True)), *args[len(names) :])

    return taking_parts


class _Answers:
    """What each signature computes, as Python functions to be traced."""

    def __init__(self, vae: VAE):
        self.vae = vae
        self.dtype = tf.float64 if vae.variable_dtype == "float64" else tf.float32
        self.seed_states = [v for v in vae.variables if v.name == "seed_generator_state"]

    def posterior(self, x: Tensor) -> dict[str, Tensor]:
        return _parameters(self._posterior(x, tf.zeros([2], tf.int32)))

    def likelihood(self, z: Any) -> dict[str, Tensor]:
        return _defined(mean=self._likelihood(self._latents(z), tf.zeros([2], tf.int32)).mean)

    def serving_default(self, x: Tensor) -> dict[str, Tensor]:
        seed = tf.zeros([2], tf.int32)
        (z,) = _center(self._posterior(x, seed), seed).values()
        return _center(self._likelihood(self._latents(z), seed), seed)

    def encode(self, x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        posterior = self._posterior(x, seed)
        z = posterior.sample(seed=seed)
        return {**_parameters(posterior), **(z if isinstance(z, Mapping) else {"z": z})}

    def decode(self, z: Any, seed: Tensor) -> dict[str, Tensor]:
        return _mean_and_sample(self._likelihood(self._latents(z), seed), seed)

    def reconstruct(self, x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        decoded = reconstruction(self._posterior(x, seed), lambda z: self._likelihood(z, seed), seed=seed)
        return _mean_and_sample(decoded.likelihood, decoded.seed)

    def sample(self, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        prior, number = self.vae.prior.distribution(), _at_least_one(num_samples)
        decoded = ancestral_sample(prior, lambda z: self._likelihood(z, seed), number, seed=seed)
        return _mean_and_sample(decoded.likelihood, decoded.seed)

    def elbo(self, x: Tensor, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        problem = self._problem(x, seed, self.vae.prior.distribution())
        average = averaged_elbo(problem, num_samples=_at_least_one(num_samples), seed=seed)
        return {"elbo": average.bound, "log_likelihood": average.log_likelihood, "kl": average.kl}

    def log_marginal(self, x: Tensor, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
        count = _at_least_one(num_samples)
        prior = self.vae.prior.distribution()  # once, not once an example
        estimate = importance_estimate(
            tf.cast(x, self.dtype),
            lambda example: self._problem(example, seed, prior),
            num_importance_samples=count,
            seed=seed,
        )
        return {"log_marginal": estimate.log_marginal}

    def _problem(self, x: Tensor, seed: Tensor, prior: Distribution) -> Problem:
        with self._layers_seeded_by(seed):
            problem = self.vae.problem(tf.cast(x, self.dtype), prior=prior)
        return problem._replace(
            generate=lambda z: self._likelihood(z, seed), infer=lambda other: self._posterior(other, seed)
        )

    def _latents(self, z: Any) -> Any:
        """Latents in the model's precision, and in their own dtype where they are whole numbers."""
        dtypes = self.vae.prior.distribution().dtype if isinstance(z, Mapping) else self.dtype
        return tf.nest.map_structure(
            lambda part, own: tf.cast(part, self.dtype if own.is_floating else own),
            dict(z) if isinstance(z, Mapping) else z,
            dtypes,
        )

    def _posterior(self, x: Tensor, seed: Tensor) -> Distribution:
        with self._layers_seeded_by(seed):
            return self.vae.infer(tf.cast(x, self.dtype), training=False)

    def _likelihood(self, z: Tensor, seed: Tensor) -> Distribution:
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


def _center(distribution: Distribution, seed: Tensor) -> dict[str, Tensor]:
    """The mean; of a family that does not define it the mode, else a draw, which is the same one in each request."""
    for moments in ({"mean": distribution.mean}, {"mode": distribution.mode}):
        if values := _defined(**moments):
            return values
    return {"sample": distribution.sample(seed=seed)}


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


def _at_least_one(num_samples: Tensor) -> Tensor:
    check = tf.debugging.Assert(num_samples >= 1, ["num_samples must be at least 1. Received:", num_samples])
    with tf.control_dependencies([check]):
        return tf.identity(num_samples)
