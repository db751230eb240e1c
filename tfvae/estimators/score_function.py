"""The score-function gradient, for any posterior with a density."""

import dataclasses
from typing import Any, Self

import keras
import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._kl_kind import closed_form, kl_kind
from tfvae.estimators.draws import draw, mean_over_draws, multiply_no_nan
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.kl_by_part import named_terms
from tfvae.estimators.kl_weighting import KLPenalty, penalty
from tfvae.estimators.problem import Problem
from tfvae.estimators.running_mean import RunningMean
from tfvae.typing import KLKind, Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class ScoreFunction(Configured):
    """The ELBO with the score-function gradient (REINFORCE, the "naive" estimator), also for discrete latents.

    The gradient is d/dphi E_q[f(z)] = E_q[(f(z) - b) d log q(z|x)], with z treated as constants. With the KL in closed
    form f is log p(x|z) - beta KL (log p(x|z) alone under a KL weighting such as `FreeBits`, which needs the closed
    form), otherwise log p(x|z) + beta (log p(z) - log q(z|x)). A baseline b that does not depend on z leaves the
    expectation unchanged and reduces the variance, which is often too high for training without one (section 2.2 of the
    AEVB paper). If the posterior is reparameterised, `SGVB` is much the better choice.

    Args:
        num_samples: S, number of draws of z per example.
        kl: "auto" (closed form where known), "analytic" or "monte_carlo".
        baseline: None; `RunningMean()`, the mean of f so far; or a Keras layer or model from x `[B, *event]` to `[B]`
            or `[B, 1]`, which is trained with the model to predict f, by squared error.

    Raises:
        TypeError: If `baseline` is not a layer.
        ValueError: If `num_samples` is below one or `kl` is unknown; when called, if the baseline returns more than one
            number per example.
        NotImplementedError: When called with `kl="analytic"`, if no closed form is known.

    References:
        Mnih & Gregor, Neural Variational Inference and Learning in Belief Networks, 2014, arXiv 1402.0030, sections 2.2
        and 2.3. Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 2.2.
    """

    num_samples: int = 1
    kl: KLKind = "auto"
    baseline: keras.layers.Layer | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_samples")
        self._set(kl=kl_kind(self.kl))
        if self.baseline is not None and not isinstance(self.baseline, keras.layers.Layer):
            raise TypeError(
                "`baseline` must be None, tfvae.estimators.RunningMean(), or a Keras layer or model from x to one "
                f"number per example. Received: baseline={self.baseline!r}"
            )

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The baseline, whose weights train with the model."""
        return () if self.baseline is None else (self.baseline,)

    def __call__(self, problem: Problem, *, beta: KLPenalty | Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        (seed_z,) = split_seed(seed, 1, "score_function")
        draws = draw(problem, sample_shape=[self.num_samples], seed=seed_z, fixed=True, kl=self.kl)  # [S, B]
        log_likelihood = mean_over_draws(draws.log_likelihood)  # [B]
        by_part = {name: mean_over_draws(part) for name, part in draws.kl_by_part.items()}
        kl = closed_form(problem, self.kl, "ScoreFunction")
        if kl is not None:
            objective = draws.log_likelihood - penalty(beta, ELBOTerms(log_likelihood, kl, by_part), problem)
            # The penalty is the same for every z and would only shift the values that the baseline predicts.
            signal = draws.log_likelihood if isinstance(beta, KLPenalty) else objective
        else:
            weight: Any = beta  # a KL weighting is an error here
            ratio = mean_over_draws(draws.log_posterior - draws.log_prior)
            kl = tf.add_n(list(by_part.values())) if by_part else ratio
            signal = draws.log_weights(weight)
            objective = draws.log_likelihood + multiply_no_nan(weight, draws.log_prior)
        signal = tf.stop_gradient(signal)  # [S, B]
        advantage, baseline_loss = signal, tf.zeros_like(kl)
        if self.baseline is not None:
            values = _baseline_values(self.baseline, problem.x)
            baseline_value = tf.cast(tf.reshape(values, tf.shape(kl)), signal.dtype)  # [B]
            advantage = signal - tf.stop_gradient(baseline_value)
            baseline_loss = mean_over_draws(tf.square(signal - baseline_value))
        return Estimate(
            surrogate_loss=baseline_loss - mean_over_draws(objective + advantage * draws.log_posterior),
            bound=log_likelihood - kl,
            log_likelihood=log_likelihood,
            kl=kl,
            terms=named_terms(by_part),
        )

    def update(self, estimate: Estimate, *, beta: KLPenalty | Tensor | float = 1.0) -> None:
        """Updates a running mean with the learning signal of a training step."""
        if isinstance(self.baseline, RunningMean):
            weighted_kl = 0.0 if isinstance(beta, KLPenalty) else as_dtype(beta, estimate.kl.dtype) * estimate.kl
            self.baseline.update(estimate.log_likelihood - weighted_kl)

    def get_config(self) -> dict[str, Any]:
        baseline = None if self.baseline is None else keras.saving.serialize_keras_object(self.baseline)
        return {**super().get_config(), "baseline": baseline}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        baseline = config.get("baseline")
        if isinstance(baseline, dict):
            config = {**config, "baseline": keras.saving.deserialize_keras_object(baseline)}
        return cls(**config)


def _baseline_values(baseline: keras.layers.Layer, x: Tensor) -> Tensor:
    """Returns the baseline's values for x, `[B]` or `[B, 1]`."""
    values = tf.convert_to_tensor(baseline(x))
    if values.shape.rank != 1 and (values.shape.rank != 2 or values.shape[1] not in (1, None)):
        raise ValueError(
            "A baseline must return one number per example, of shape [B] or [B, 1]. Received: values of shape "
            f"{tuple(values.shape)} from baseline='{baseline.name}'"
        )
    return values
