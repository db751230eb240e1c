"""Python functions of the signatures of an exported model, to be traced."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators import Problem, averaged_elbo, importance_estimate
from tfvae.export.labels import Labels
from tfvae.export.moments import by_name, center, defined, mean_and_sample, parameters
from tfvae.export.signature_inputs import Given
from tfvae.layers._observed import Observed
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.models.missing import observed_part
from tfvae.models.queries import ancestral_sample, reconstruction, sample_prior
from tfvae.priors import Conditional
from tfvae.typing import Distribution, Tensor


class SignatureFunctions:
    """Functions of a model from the inputs of a request to named outputs. Each has the name of its signature.

    Args:
        vae: Built model.
        labels: The label among its latents, if there is one.
    """

    def __init__(self, vae: VAE, labels: Labels | None):
        self._vae, self._labels = vae, labels
        self._seed_states = [v for v in vae.variables if v.name == "seed_generator_state"]

    def posterior(self, given: Given) -> dict[str, Tensor]:
        """Returns the parameters of q(z|x), or of q(z|x,y) for a model with labels."""
        posterior: Any = self._posterior(self._batch(given), given.seed)
        if self._labels is None:
            return parameters(posterior)
        others = [name for name in posterior.event_shape if name != self._labels.part]
        if len(others) != 1:  # several parts have parameters of equal names
            return {}
        of_q, _ = posterior.sample_distributions(value={self._labels.part: given.y}, seed=given.seed)
        return parameters(of_q[others[0]])

    def likelihood(self, given: Given) -> dict[str, Tensor]:
        """Returns the mean of p(x|z)."""
        return defined(mean=self._likelihood(given.z, given).mean)

    def serving_default(self, given: Given) -> dict[str, Tensor]:
        """Returns the mean of p(x|z) at the centre of q(z|x)."""
        posterior = self._posterior(self._batch(given), given.seed)
        z: Any
        if self._labels is None:
            (z,) = center(posterior, given.seed).values()
        else:
            z = self._center_of_parts(posterior, self._labels, given.seed)
        return center(self._likelihood(z, given), given.seed)

    def encode(self, given: Given) -> dict[str, Tensor]:
        """Returns the parameters of q(z|x), and a draw."""
        posterior = self._posterior(self._batch(given), given.seed)
        z = posterior.sample(seed=given.seed)
        return {**parameters(posterior), **by_name(z)}

    def decode(self, given: Given) -> dict[str, Tensor]:
        """Returns the mean of p(x|z), and a draw."""
        return mean_and_sample(self._likelihood(given.z, given), given.seed)

    def reconstruct(self, given: Given) -> dict[str, Tensor]:
        """Returns the mean of p(x|z) for a draw of z from q(z|x), and a draw."""
        posterior = self._posterior(self._batch(given), given.seed)
        decoded = reconstruction(posterior, lambda z: self._likelihood(z, given), seed=given.seed)
        return mean_and_sample(decoded.likelihood, decoded.seed)

    def sample(self, given: Given) -> dict[str, Tensor]:
        """Returns draws of z from the prior, the means of p(x|z), and draws."""
        prior, number, fixed = self._vae.prior_of(given.condition), given.num_samples, {}
        if self._labels is not None:
            fixed = {self._labels.part: self._labels_of_samples(prior, given, self._labels)}
        decoded = ancestral_sample(prior, lambda z: self._likelihood(z, given), number, seed=given.seed, given=fixed)
        return {**by_name(decoded.z), **mean_and_sample(decoded.likelihood, decoded.seed)}

    def elbo(self, given: Given) -> dict[str, Tensor]:
        """Returns the ELBO and its terms, averaged over draws."""
        problem = self._problem(self._batch(given), self._prior(), given.seed)
        average = averaged_elbo(problem, num_samples=given.num_samples, seed=given.seed)
        return {"elbo": average.bound, "log_likelihood": average.log_likelihood, "kl": average.kl}

    def log_marginal(self, given: Given) -> dict[str, Tensor]:
        """Returns an estimate of log p(x), or log p(x|c), by importance sampling."""
        prior = self._prior()  # created once instead of once per example
        estimate = importance_estimate(
            self._batch(given),
            lambda example: self._problem(example, prior, given.seed),
            num_importance_samples=given.num_samples,
            seed=given.seed,
        )
        return {"log_marginal": estimate.log_marginal}

    def classify(self, given: Given) -> dict[str, Tensor]:
        """Returns q(y|x), and the most probable class."""
        if self._labels is None:
            return {}
        posterior: Any = self._posterior(self._batch(given), given.seed)
        of_q, _ = posterior.sample_distributions(seed=given.seed)
        probs = of_q[self._labels.part].mean()
        return {"probs": probs, "label": tf.argmax(probs, axis=-1, output_type=tf.int32)}

    def _batch(self, given: Given) -> Batch:
        """Returns x, with the mask of observed values if NaN is a missing value."""
        x, observed = observed_part(given.x, None, self._vae.missing)
        return Batch(x, given.condition, observed=observed)

    def _prior(self) -> Distribution | None:
        """Returns p(z). None if the prior depends on a condition."""
        return None if isinstance(self._vae.prior, Conditional) else self._vae.prior.distribution()

    def _problem(self, batch: Batch, prior: Distribution | None, seed: Tensor) -> Problem:
        given = Given(seed, condition=batch.condition)
        with self._layers_seeded_by(seed):
            problem = self._vae.problem(batch, prior=prior)

        def generate(z: Any) -> Distribution:
            likelihood = self._likelihood(z, given)
            return likelihood if batch.observed is None else Observed(likelihood, batch.observed)

        return problem._replace(generate=generate, infer=lambda other: self._posterior(batch._replace(x=other), seed))

    def _posterior(self, batch: Batch, seed: Tensor) -> Distribution:
        with self._layers_seeded_by(seed):
            return self._vae.infer(batch, training=False)

    def _likelihood(self, z: Any, given: Given) -> Distribution:
        with self._layers_seeded_by(given.seed):
            return self._vae.generate(z, condition=given.condition, training=False)

    def _center_of_parts(self, posterior: Any, labels: Labels, seed: Tensor) -> dict[str, Tensor]:
        """Returns the most probable label and the means of the other parts, each given the parts before it."""
        z: dict[str, Tensor] = {}
        for name, _ in posterior.resolve_graph():
            of_q, _ = posterior.sample_distributions(value=z or None, seed=seed)
            if name == labels.part:
                most = tf.argmax(of_q[name].mean(), axis=-1)
                z[name] = tf.one_hot(most, labels.num_classes, dtype=of_q[name].dtype)
            else:
                (z[name],) = center(of_q[name], seed).values()
        return z

    def _labels_of_samples(self, prior: Any, given: Given, labels: Labels) -> Tensor:
        """Returns the labels of samples as one-hot vectors `[N, K]`. Labels of -1 are drawn from the prior."""
        drawn = sample_prior(prior, given.num_samples, seed=given.seed).z[labels.part]
        one_hot = tf.one_hot(given.label, labels.num_classes, dtype=drawn.dtype)
        if drawn.dtype.is_floating:
            # XLA drops the check of the inputs. The result of an unknown label is NaN there, instead of some image.
            is_unknown = (given.label < -1) | (given.label >= labels.num_classes)
            one_hot = tf.where(is_unknown[:, tf.newaxis], tf.constant(float("nan"), drawn.dtype), one_hot)
        return tf.where(tf.equal(given.label, -1)[:, tf.newaxis], drawn, one_hot)

    def _layers_seeded_by(self, seed: Tensor) -> keras.StatelessScope:
        # A layer that makes draws uses its own seed state. Here this state depends on `seed`, and layers change no
        # variables.
        seeds = split_seed(seed, len(self._seed_states), "layers")
        pairs = zip(self._seed_states, seeds, strict=True)
        return keras.StatelessScope([(state, tf.cast(value, state.dtype)) for state, value in pairs])
