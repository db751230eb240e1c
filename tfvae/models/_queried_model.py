"""Questions to a trained model: encode, decode, reconstruct, sample and ELBO."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import stateless_seed
from tfvae.data.examples import CONDITION, OBSERVED, is_dictionary
from tfvae.estimators import EstimatorOfLabels, Problem, elbo_terms
from tfvae.models import _inputs, _validation
from tfvae.models._saved_model import SavedModel
from tfvae.models.batch import Batch
from tfvae.models.compiled_queries import CompiledQueries
from tfvae.models.conditions import as_condition, repeated
from tfvae.models.missing import observed_part
from tfvae.models.queries import Decoded, ancestral_sample, reconstruction
from tfvae.priors import Conditional, Prior
from tfvae.typing import Distribution, Seed, Tensor, TensorLike


class QueriedModel(SavedModel):
    """Model with q(z|x), p(z) and p(x|z), which answers questions about data and latents.

    `VAE` defines the distributions.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    prior: Prior
    _is_compiled = False
    _compiled_queries: CompiledQueries | None = None

    def infer(self, x: Any, *, training: bool = False) -> Distribution:
        """Returns q(z|x)."""
        raise NotImplementedError

    def generate(self, z: Tensor, *, condition: Tensor | None = None, training: bool = False) -> Distribution:
        """Returns p(x|z)."""
        raise NotImplementedError

    def prior_of(self, condition: Tensor | None = None) -> Distribution:
        """Returns p(z), of batch shape `[]`, or p(z|c), of batch shape `[B]`, for a condition `[B, *shape]`."""
        return self.prior.distribution(condition) if isinstance(self.prior, Conditional) else self.prior.distribution()

    def _require_condition(self, condition: Tensor | None) -> None:
        if (condition is None) != (self.condition_shape is None):
            as_condition(condition, self.condition_shape, self.variable_dtype)  # raises the error

    def problem(self, x: Tensor | Batch, *, prior: Distribution | None = None, training: bool = False) -> Problem:
        """Returns the input of an estimator."""
        raise NotImplementedError

    @property
    def compiled(self) -> CompiledQueries:
        """Programs for repeated calls: `vae.compiled.encode(x)` and `vae.compiled.decode(z)`.

        In Keras, this attribute says whether `compile` was called. Here its truth value does: `bool(vae.compiled)`.
        """
        if self._compiled_queries is None:
            self._compiled_queries = CompiledQueries(self, is_compiled=self._is_compiled)
        return self._compiled_queries

    @compiled.setter
    def compiled(self, is_compiled: bool) -> None:  # by Keras, at the end of `compile`
        self._is_compiled, self._compiled_queries = bool(is_compiled), None

    # In a conditional model, each of these methods takes a condition: numbers `[B, *shape]`, indices of classes `[B]`,
    # or one of these for all examples.

    def encode(self, x: TensorLike, *, condition: TensorLike | None = None) -> Distribution:
        """Returns q(z|x), a TFP distribution with batch shape `[B]`, for x `[B, *event]`."""
        return self.infer(self._checked_batch(x, condition))

    def decode(self, z: TensorLike, *, condition: TensorLike | None = None) -> Distribution:
        """Returns p(x|z), a TFP distribution with batch shape `[...]`, for z `[..., D]`."""
        z = _validation.as_latents(z, self.prior, self.variable_dtype)
        return self.generate(z, condition=as_condition(condition, self.condition_shape, self.variable_dtype))

    def reconstruct(self, x: TensorLike, *, condition: TensorLike | None = None, seed: Seed = None) -> Tensor:
        """Returns the mean of p(x|z) `[B, *event]`, with one z drawn from q(z|x)."""
        return self.reconstructed(x, condition=condition, seed=seed).mean()

    def reconstructed(self, x: TensorLike, *, condition: TensorLike | None = None, seed: Seed = None) -> Decoded:
        """Returns z drawn from q(z|x), and p(x|z): what `reconstruct` returns the mean of."""
        batch = self._checked_batch(x, condition)
        return reconstruction(self.infer(batch), self._generate_given(batch.condition), seed=self._seed(seed))

    def sample(
        self,
        num_samples: int,
        *,
        condition: TensorLike | None = None,
        label: TensorLike | None = None,
        seed: Seed = None,
    ) -> Tensor:
        """Draws ancestral samples `[num_samples, *event]`: z ~ p(z), then x ~ p(x|z).

        For a model with labels (`tfvae.estimators.Enumerated` or `PartlyObserved`), `label` is the class, or the
        numbers, of all samples or of each.
        """
        num_samples = whole_number(num_samples, "num_samples", at_least=0)
        return self.ancestral_sample(num_samples, condition=condition, label=label, seed=seed).sample()

    def ancestral_sample(
        self,
        num_samples: int | Tensor,
        *,
        condition: TensorLike | None = None,
        label: TensorLike | None = None,
        seed: Seed = None,
    ) -> Decoded:
        """Returns z drawn from p(z), and p(x|z): what `sample` draws from. The number may be a tensor."""
        condition = self._conditions(condition, num_samples)
        prior, generate = self.prior_of(condition), self._generate_given(condition)
        given = {} if label is None else self._given_label(label, num_samples)
        return ancestral_sample(prior, generate, num_samples, seed=self._seed(seed), given=given)

    def classify(self, x: TensorLike, *, condition: TensorLike | None = None) -> Tensor:
        """Returns the probabilities q(y|x) `[B, K]` of the classes, for a model with classes as labels."""
        estimator = self._label_estimator()
        if not estimator.has_classes:
            raise ValueError(
                "The labels of this model are numbers, not classes. Use vae.encode_label(x), which returns their "
                f"distribution q(y|x). Received: a model with the estimator {estimator!r}"
            )
        return self.encode_label(x, condition=condition).mean()

    def encode_label(self, x: TensorLike, *, condition: TensorLike | None = None) -> Distribution:
        """Returns q(y|x), a TFP distribution with batch shape `[B]`, for a model with labels."""
        name = self._label_estimator().label
        posterior: Any = self.infer(self._checked_batch(x, condition))
        of_q, _ = posterior.sample_distributions(seed=(0, 0))
        return of_q[name]

    def _label_estimator(self) -> EstimatorOfLabels:
        if not isinstance(self.estimator, EstimatorOfLabels):
            raise ValueError(
                "This model has no labels. Its estimator must be tfvae.estimators.Enumerated or PartlyObserved, for a "
                f"z with a part y (docs/semi-supervised.md). Received: a model with the estimator {self.estimator!r}"
            )
        return self.estimator

    def _given_label(self, label: TensorLike, num_samples: int | Tensor) -> dict[str, Tensor]:
        estimator = self._label_estimator()
        shape = tuple(self.prior.event_shape[estimator.label])
        if estimator.has_classes:
            label = tf.cast(label, tf.int32)
        else:
            label = tf.cast(label, self.variable_dtype)
            if shape == (1,) and label.shape.rank < 2:
                label = label[..., tf.newaxis]
        value = as_condition(label, shape, self.variable_dtype)
        return {estimator.label: repeated(value, shape, num_samples)}  # type: ignore[dict-item]

    def _generate_given(self, condition: Tensor | None) -> Callable[[Any], Distribution]:
        return lambda z: self.generate(z, condition=condition)

    def elbo(
        self, x: TensorLike, *, condition: TensorLike | None = None, num_samples: int = 1, seed: Seed = None
    ) -> Tensor:
        """Returns the evidence lower bound of each example `[B]` in nats, independently of `beta` and `estimator`.

        The KL is analytic if a closed form is known (estimator B of the paper), else a Monte Carlo estimate
        (estimator A).
        """
        batch = self._checked_batch(x, condition)
        num_samples = whole_number(num_samples, "num_samples")
        terms = elbo_terms(self.problem(batch), num_samples=num_samples, seed=self._seed(seed))
        return terms.log_likelihood - terms.kl

    def _checked_batch(self, x: TensorLike, condition: TensorLike | None = None) -> Batch:
        """Returns data and a condition that a user gives, also as one dictionary."""
        given = x if is_dictionary(x) else {}
        condition = given.get(CONDITION) if condition is None else condition
        x, observed = observed_part(
            self._cast(_inputs.as_tensor(x, self.event_shape)), given.get(OBSERVED), self.missing
        )
        return Batch(x, self._conditions(condition, x.shape[0] or tf.shape(x)[0]), observed=observed)

    def _conditions(self, condition: TensorLike | None, num: int | Tensor) -> Tensor | None:
        """Returns conditions `[num, *shape]` for the condition that a user gives."""
        condition = as_condition(condition, self.condition_shape, self.variable_dtype)
        return repeated(condition, self.condition_shape, num)

    def _seed(self, seed: Seed) -> Tensor:
        return stateless_seed(self.seed_generator if seed is None else seed)
