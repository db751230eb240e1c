"""TensorFlow module with the signatures of an exported VAE."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import split_seed
from tfvae.estimators import Problem, averaged_elbo, importance_estimate
from tfvae.layers._observed import Observed
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.missing import observed_part
from tfvae.models.queries import ancestral_sample, reconstruction
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

SIGNATURES = ("encode", "decode", "reconstruct", "sample", "elbo", "log_marginal")
# Functions without draws, with independent results per example. Models of earlier versions do not have them.
MEANS = ("posterior", "likelihood")
# Functions whose first argument is z.
_OF_LATENTS = ("decode", "likelihood")
# TensorFlow's name of the signature for requests without a signature.
DEFAULT = "serving_default"


class Signatures(tf.Module):
    """Functions of a VAE as graphs over `tf.Variable`s, without objects of Keras, TFP or tfvae.

    Results depend only on the inputs and on `seed`. For the same seed they equal those of the model in Python: `encode`
    draws `vae.encode(x).sample(seed=seed)`, `decode` draws `vae.decode(z).sample(seed=seed)`, the mean of
    `reconstruct` is `vae.reconstruct(x, seed=seed)`, and `sample` draws `vae.sample(num_samples, seed=seed)`
    (`models.queries`).

    Args:
        vae: Built model whose latents are one tensor or named parts.
        event_shape: Shape of one x.
        names: Names of the functions to create, from `SIGNATURES`, `MEANS` and `DEFAULT`.

    Attributes:
        model_variables: The `tf.Variable`s that the functions read.
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
        functions = _SignatureFunctions(vae)
        self._names = tuple(names)
        for name in names:
            function = getattr(functions, name)
            if parts is not None and name in _OF_LATENTS:
                function = _taking_parts(function, list(parts))
            setattr(self, name, _traced(function, *inputs[name]))
        traced = [getattr(self, name).get_concrete_function() for name in names]
        read = {id(variable): variable for function in traced for variable in function.graph.variables}
        in_order = [read.pop(id(v.value)) for v in vae.variables if id(v.value) in read]
        # The other variables belong to no layer, such as those in the TFP distribution of a `Fixed` prior.
        self.model_variables = [*in_order, *read.values()]

    def by_name(self) -> dict[str, Any]:
        """Returns the functions by signature."""
        functions = {name: getattr(self, name) for name in self._names}
        # A family without known parameters and moments has no outputs without a draw.
        return {name: function for name, function in functions.items() if _outputs(function)}


def described(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the shapes of the inputs and outputs of functions, by signature."""
    return {
        name: {
            "inputs": {spec.name: spec.shape.as_list() for spec in function.input_signature},
            "outputs": {key: spec.shape.as_list() for key, spec in _outputs(function).items()},
        }
        for name, function in functions.items()
    }


def _outputs(function: Any) -> dict[str, Any]:
    return function.get_concrete_function().structured_outputs


def _traced(answer: Callable[..., dict[str, Tensor]], *specs: tf.TensorSpec) -> Any:
    @functools.wraps(answer)
    def traced(*args: Tensor, **kwargs: Tensor) -> dict[str, Tensor]:
        return {name: tf.cast(value, tf.float32) for name, value in answer(*args, **kwargs).items()}

    return tf.function(traced, input_signature=specs, autograph=False)


def _taking_parts(answer: Callable[..., dict[str, Tensor]], names: list[str]) -> Callable[..., dict[str, Tensor]]:
    """Converts a function of a dictionary of parts of z to a function with one argument per part."""

    def taking_parts(*args: Tensor) -> dict[str, Tensor]:
        return answer(dict(zip(names, args[: len(names)], strict=True)), *args[len(names) :])

    return taking_parts


class _SignatureFunctions:
    """Python functions of the signatures, to be traced."""

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
        prior = self.vae.prior.distribution()  # created once instead of once per example
        estimate = importance_estimate(
            tf.cast(x, self.dtype),
            lambda example: self._problem(example, seed, prior),
            num_importance_samples=count,
            seed=seed,
        )
        return {"log_marginal": estimate.log_marginal}

    def _problem(self, x: Tensor, seed: Tensor, prior: Distribution) -> Problem:
        batch = self._batch(x)
        with self._layers_seeded_by(seed):
            problem = self.vae.problem(batch, prior=prior)

        def generate(z: Any) -> Distribution:
            likelihood = self._likelihood(z, seed)
            return likelihood if batch.observed is None else Observed(likelihood, batch.observed)

        return problem._replace(generate=generate, infer=lambda other: self._posterior(other, seed))

    def _batch(self, x: Tensor) -> Batch:
        """Returns x in the precision of the model, with the mask of observed values if NaN is a missing value."""
        x, observed = observed_part(tf.cast(x, self.dtype), None, self.vae.missing)
        return Batch(x, observed=observed)

    def _latents(self, z: Any) -> Any:
        """Converts latents to the precision of the model, and integer parts to their own dtype."""
        dtypes = self.vae.prior.distribution().dtype if isinstance(z, Mapping) else self.dtype
        return tf.nest.map_structure(
            lambda part, own: tf.cast(part, self.dtype if own.is_floating else own),
            dict(z) if isinstance(z, Mapping) else z,
            dtypes,
        )

    def _posterior(self, x: Tensor, seed: Tensor) -> Distribution:
        with self._layers_seeded_by(seed):
            return self.vae.infer(self._batch(x), training=False)

    def _likelihood(self, z: Tensor, seed: Tensor) -> Distribution:
        with self._layers_seeded_by(seed):
            return self.vae.generate(z, training=False)

    def _layers_seeded_by(self, seed: Tensor) -> keras.StatelessScope:
        # A layer that makes draws uses its own seed state. Here this state depends on `seed`, and layers change no
        # variables.
        seeds = split_seed(seed, len(self.seed_states), "layers")
        pairs = zip(self.seed_states, seeds, strict=True)
        return keras.StatelessScope([(state, tf.cast(value, state.dtype)) for state, value in pairs])


def _parameters(posterior: Distribution) -> dict[str, Tensor]:
    """Returns the parameters of the posterior by their names in its family, with the batch axis first."""
    if isinstance(posterior, tfd.MultivariateNormalDiag):
        return {"loc": posterior.mean(), "scale": posterior.stddev()}
    if isinstance(posterior, tfd.MultivariateNormalTriL):
        loc = posterior.mean()  # [B, D]
        shape = tf.concat([tf.shape(loc), tf.shape(loc)[-1:]], axis=0)
        return {"loc": loc, "scale_tril": tf.broadcast_to(posterior.scale.to_dense(), shape)}
    return _defined(mean=posterior.mean, stddev=posterior.stddev)


def _center(distribution: Distribution, seed: Tensor) -> dict[str, Tensor]:
    """Returns the mean, else the mode if the family defines no mean, else a draw, which is equal in each request."""
    for moments in ({"mean": distribution.mean}, {"mode": distribution.mode}):
        if values := _defined(**moments):
            return values
    return {"sample": distribution.sample(seed=seed)}


def _mean_and_sample(likelihood: Distribution, seed: Tensor) -> dict[str, Tensor]:
    return {**_defined(mean=likelihood.mean), "sample": likelihood.sample(seed=seed)}


def _defined(**moments: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Returns the moments that the family defines."""
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
