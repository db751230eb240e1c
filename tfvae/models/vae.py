"""The variational autoencoder."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import number
from tfvae._latent_shapes import shapes_of_parts
from tfvae._seeds import stateless_seed
from tfvae._serialization import register
from tfvae.data.examples import CONDITION, OBSERVED, single, x_key
from tfvae.estimators import SGVB, Estimate, Estimator, KLPenalty, KLWeighting, Problem
from tfvae.estimators.estimator import EstimatorOfLabels, EstimatorWithUpdate, require_estimator
from tfvae.estimators.kl_weighting import as_weighting
from tfvae.layers import DistributionLayer
from tfvae.layers._coercion import as_distribution, reshape_batch
from tfvae.layers._networks import output_layer
from tfvae.layers._observed import Observed
from tfvae.models import _validation
from tfvae.models._estimator_layers import build_layers, layers_of
from tfvae.models._queried_model import QueriedModel
from tfvae.models._shared_layers import sharing_scope
from tfvae.models.batch import Batch
from tfvae.models.conditions import called, condition_shape, for_draws, symbolic_condition
from tfvae.models.missing import Missing, as_seen_by, checked_missing, observed_part
from tfvae.models.objective import Bound, Objective
from tfvae.priors import Conditional, Prior
from tfvae.typing import Distribution, Seed, Tensor

tfd = tfp.distributions


@register
class VAE(QueriedModel):
    """Variational autoencoder: trains q(z|x) and p(x|z) together by gradient ascent on a bound on log p(x).

    `infer` and `generate` define the model, and `estimator` defines how the bound is estimated and differentiated.
    Variants of the VAE are other parts: an importance-weighted autoencoder is another estimator, a beta-VAE another
    `beta`, a VAE with a learned prior another prior.

    Args:
        encoder: Keras model from x `[B, *event]` to the posterior q(z|x). It ends in a distribution layer. In a
            conditional model, networks have a dictionary of inputs with the key "condition", or the prior is a
            `tfvae.priors.Conditional`: docs/conditional.md.
        decoder: Keras model from z `[B, D]` to the likelihood p(x|z). It ends in a distribution layer. If z has several
            parts, so that posterior and prior are TFP joint distributions, its input is the nest of their draws.
        prior: The prior p(z), a layer of `tfvae.priors` or a TFP distribution. None is the standard normal.
        estimator: The bound and its gradient. None is `SGVB()`, with one sample and the closed form of the KL if it is
            known.
        beta: Initial value of the variable `vae.beta`, the weight of the KL, which schedules
            (`tfvae.callbacks.BetaSchedule`) change. Or a KL weighting, `tfvae.estimators.FreeBits` or `Capacity`, which
            has its own `beta`.
        objective: Updates of a training step, each of its own variables with its own optimizer. None is `Bound()`, one
            update that maximises the bound of the estimator.
        missing: "nan" if NaN in x is a missing value. log p(x|z) is then that of the observed values, the encoder sees
            zeros in the place of missing ones (with a `Standardization` layer, their means) and, in an input named
            "observed", where they are: docs/missing-data.md. None if NaN is an error. A mask may be given to any model:
            `fit({"x": x, "observed": mask})`.
        seed: Seed of the random numbers of the model. None draws a seed.
        **kwargs: `name` of `keras.Model`.

    Call arguments:
        inputs: Data x `[B, *event]`. For a conditional model, a dictionary with the keys "x" and "condition".

    Returns:
        The likelihood p(x|z) with one z drawn from q(z|x), a distribution that converts to a tensor.

    Raises:
        TypeError: If encoder or decoder does not end in a distribution layer, the estimator is a class or a name, or
            `beta` is neither a number nor a KL weighting. In training, if the estimator has no KL for a KL weighting.
        ValueError: If latent sizes differ, `beta` is negative or not finite, or the encoder has a KL regulariser.

    Metrics:
        `elbo` (or the bound of another estimator), `log_likelihood` and `kl` in nats per example, averaged over
        examples, and `loss`, which is minimised. Validation metrics have the prefix `val_`. Pass
        `monitor="val_elbo", mode="max"` to `EarlyStopping` and `ModelCheckpoint`.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, algorithm 1.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        decoder: keras.layers.Layer,
        prior: Prior | Distribution | None = None,
        estimator: Estimator | None = None,
        *,
        beta: float | KLWeighting = 1.0,
        objective: Objective | None = None,
        missing: Missing = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _validation.refuse_own_kl(encoder)
        _validation.check_encoder_input(encoder)
        posterior_layer = output_layer(encoder, "encoder")
        output_layer(decoder, "decoder")
        latent_shape = None if posterior_layer is None else posterior_layer.event_shape
        self.encoder = encoder
        self.prior = _validation.as_prior(prior, latent_shape)
        self.decoder = decoder
        _validation.check_decoder_input(decoder, self.prior)
        self.condition_shape = condition_shape(encoder, decoder, self.prior)
        self.estimator = SGVB() if estimator is None else estimator
        self.objective = Bound() if objective is None else objective
        self.initial_beta, self.kl_weighting = as_weighting(beta)
        self.missing = checked_missing(missing)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._beta = self.add_weight(
            name="beta",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_beta),
            trainable=False,
            dtype="float32",
        )
        if self.event_shape is not None:
            self._build_symbolically(self.event_shape)

    @property
    def beta(self) -> Any:
        """The weight of the KL, a variable. `vae.beta = 4.0` assigns to it."""
        return self._beta

    @beta.setter
    def beta(self, value: float) -> None:
        self._beta.assign(number(value, "beta", at_least=0))

    @property
    def estimator(self) -> Estimator:
        """The bound and its gradient. A new estimator takes effect with the next `fit`."""
        return self._estimator

    @estimator.setter
    def estimator(self, estimator: Estimator) -> None:
        layers = layers_of(require_estimator(estimator), model_is_built=getattr(self, "built", False))
        self._estimator, self.estimator_layers = estimator, layers  # Keras tracks these layers, trains and saves them

    @property
    def _likelihood_layer(self) -> DistributionLayer | None:
        return output_layer(self.decoder, "decoder")

    @property
    def latent_shape(self) -> Any:
        """The shape of one z, `(latent_size,)`. For a z of several parts, a nest of such tuples."""
        return self.prior.event_shape

    def build(self, input_shape: Any) -> None:
        if getattr(self, "built", False):  # the constructor builds a model with a known event shape
            return
        if isinstance(input_shape, dict):
            input_shape = input_shape[x_key(input_shape)]
        # Keras casts to half precision according to the dtype policy.
        x = keras.KerasTensor(tuple(input_shape), dtype=self.variable_dtype)
        condition = symbolic_condition(self.condition_shape, None, self.variable_dtype)
        called(self.encoder, x, condition)
        z = _validation.symbolic_latents(self.prior, None, self.variable_dtype)
        _validation.decoded(self.decoder, z, condition)
        if not isinstance(self.prior, Conditional):  # which is built already
            self.prior(_validation.symbolic_latents(self.prior, None, self.prior.variable_dtype))
        build_layers(self.estimator, x, self.latent_shape)
        self.objective.build(tuple(input_shape), self.latent_shape)
        self.built = True

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        batch_size = single(inputs).shape[0]
        z = _validation.symbolic_latents(self.prior, batch_size, self.variable_dtype)
        condition = symbolic_condition(self.condition_shape, batch_size, self.variable_dtype)
        return _validation.decoded(self.decoder, z, condition)

    # The model: q(z|x), p(z), p(x|z) ------------------------------------------------------------------------------

    def infer(
        self,
        x: Any,
        *,
        condition: Tensor | None = None,
        observed: Tensor | None = None,
        training: bool = False,
    ) -> Distribution:
        """Returns q(z|x), a TFP distribution with batch shape `[B]`, for x `[B, *event]`.

        For a conditional model it is q(z|x,c), with a condition `[B, *shape]` given as `condition` or in a `Batch`. So
        is the mask of observed values, for an encoder that takes it.
        """
        if isinstance(x, Batch):
            x, condition, observed = x.x, x.condition, x.observed
        self._require_condition(condition)
        x = x if observed is None else as_seen_by(self.encoder, x, observed)
        found = called(self.encoder, x, condition, observed, training=training)
        found = _validation.distribution_of(found, self.encoder, "encoder")
        posterior = as_distribution(found)
        _validation.check_latent_shape(posterior.event_shape, self.prior)
        return posterior

    def generate(self, z: Tensor, *, condition: Tensor | None = None, training: bool = False) -> Distribution:
        """Returns p(x|z), a TFP distribution with batch shape `[...]`, for z `[..., D]` with any leading axes.

        The leading axes are merged to one batch axis for the decoder, which therefore need not support sample axes. For
        a conditional model it is p(x|z,c), with a condition `[B, *shape]` for z `[..., B, D]`.
        """
        self._require_condition(condition)
        parts, shapes = tf.nest.flatten(z), shapes_of_parts(self.latent_shape)
        _validation.check_latents(parts, shapes)
        flat = [tf.reshape(part, [-1, *shape]) for part, shape in zip(parts, shapes, strict=True)]
        flat = tf.nest.pack_sequence_as(z, flat)
        batch_shape = tf.shape(parts[0])[: parts[0].shape.rank - len(shapes[0])]
        if condition is not None:
            condition = for_draws(condition, self.condition_shape or (), batch_shape)
        likelihood = _validation.decoded(self.decoder, flat, condition, training=training)
        likelihood = _validation.distribution_of(likelihood, self.decoder, "decoder")
        return reshape_batch(likelihood, batch_shape)

    def problem(self, x: Tensor | Batch, *, prior: Distribution | None = None, training: bool = False) -> Problem:
        """Returns the input of an estimator for a batch x `[B, *event]`.

        Args:
            x: Data or a `Batch`.
            prior: The distribution p(z). None creates it from the prior of the model.
            training: Whether the networks run in training mode.
        """
        batch = x if isinstance(x, Batch) else Batch(x)
        condition, observed = batch.condition, batch.observed

        def generate(z: Any) -> Distribution:
            likelihood = self.generate(z, condition=condition, training=training)
            return likelihood if observed is None else Observed(likelihood, observed)

        return Problem(
            batch.x,
            posterior=self.infer(batch.x, condition=condition, observed=observed, training=training),
            prior=self.prior_of(condition) if prior is None else prior,
            generate=generate,
            infer=lambda other: self.infer(other, condition=condition, observed=observed, training=training),
        )

    def call(self, inputs: Any, training: bool = False) -> Distribution:
        given = inputs if isinstance(inputs, dict) else {}
        condition = None if self.condition_shape is None else given[CONDITION]
        x, observed = observed_part(single(inputs), given.get(OBSERVED), self.missing)
        posterior = self.infer(x, condition=condition, observed=observed, training=training)
        z = posterior.sample(seed=stateless_seed(self.seed_generator))
        return _validation.decoded(self.decoder, z, condition, training=training)

    # Estimation and saving ---------------------------------------------------------------------------------------

    def estimate(
        self, x: Tensor | Batch, *, estimator: Estimator | None = None, training: bool = False, seed: Seed = None
    ) -> Estimate:
        """Estimates the bound of a batch x `[B, *event]`, its terms and its surrogate loss, each `[B]`."""
        batch = x if isinstance(x, Batch) else Batch(x)
        estimator = self.estimator if estimator is None else require_estimator(estimator)
        beta: Any = self.beta if self.kl_weighting is None else KLPenalty(self.kl_weighting, self.beta)
        problem = self.problem(batch._replace(x=self._cast(batch.x)), training=training)
        if batch.labels is not None and isinstance(estimator, EstimatorOfLabels):
            problem = estimator.observe(problem, batch.labels)
        estimate = estimator(problem, beta=beta, seed=self._seed(seed))
        if training and isinstance(estimator, EstimatorWithUpdate):
            estimator.update(estimate, beta=beta)
        return estimate

    def _standard_scores(self, x: Tensor) -> Tensor:
        """Returns (x - E[x|z]) / sd[x|z] with one z drawn from q(z|x)."""
        x = self._cast(x)
        likelihood = self.generate(self.infer(x).sample(seed=stateless_seed(0)))
        return (x - likelihood.mean()) / likelihood.stddev()

    # Serialisation ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        names = ["encoder", "decoder", "estimator", "prior"]
        if not isinstance(self.objective, Bound):
            names.append("objective")
        with sharing_scope((self.encoder, self.decoder, self.prior)):
            described = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        return {
            **super().get_config(),
            **described,
            "beta": keras.saving.serialize_keras_object(self.kl_weighting or self.initial_beta),
            "seed": self.seed,
            **({} if self.missing is None else {"missing": self.missing}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "VAE":
        config = dict(config)
        with sharing_scope():
            for name in ("encoder", "decoder", "estimator"):
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            config["prior"] = _validation.deserialize_prior(config["prior"], config["encoder"], custom_objects)
            for name in ("objective", "beta"):
                if isinstance(config.get(name), dict):
                    config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)
