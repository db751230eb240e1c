"""The gradient by scores, for any posterior with a density."""

import dataclasses
from typing import Any, Self

import keras
import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._kl_kind import closed_form, kl_kind
from tfvae.estimators.draws import draw, mean_over_draws, weighed
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.kl_weighting import KLPenalty, penalty
from tfvae.estimators.problem import Problem
from tfvae.estimators.running_mean import RunningMean
from tfvae.typing import KLKind, Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class ScoreFunction(Configured):
    """The ELBO with the score-function gradient (REINFORCE, the "naive" estimator): for discrete latents too.

    d/dphi E_q[f(z)] = E_q[(f(z) - b) d log q(z|x)], the draws z counting as data. With the KL in closed form f is
    log p(x|z) - beta KL (log p(x|z) alone under a KL weighting such as `FreeBits`, which needs the closed form),
    otherwise log p(x|z) + beta (log p(z) - log q(z|x)). Any baseline b that does not see z leaves the expectation as it
    is and takes variance away; without one the variance is often too high to train by (section 2.2 of the AEVB paper).
    Where the posterior is reparameterised, `SGVB` is the better choice by far.

    Args:
        num_samples: S, draws of z an example.
        kl: "auto" (closed form where known), "analytic" or "monte_carlo".
        baseline: None; `RunningMean()`, the mean of f so far; or a Keras layer or model from x `[B, *event]` to `[B]`
            or `[B, 1]`, which learns to foretell f by squared error, with the model's optimizer.

    Raises:
        TypeError: for a baseline that is no layer.
        ValueError: for fewer than one sample or another `kl`; when called, for a baseline that returns more than one
            number an example.
        NotImplementedError: when called with "analytic" for distributions between which no closed form is known.

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
                "baseline is None, tfvae.estimators.RunningMean(), or a Keras layer or model from x to one number an "
                f"example. Received: {self.baseline!r}."
            )

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The layers whose weights train with the model: the baseline."""
        return () if self.baseline is None else (self.baseline,)

    def __call__(self, problem: Problem, *, beta: KLPenalty | Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        (seed_z,) = split_seed(seed, 1, "score_function")
        draws = draw(problem, sample_shape=[self.num_samples], seed=seed_z, fixed=True)  # [S, B]
        log_likelihood = mean_over_draws(draws.log_likelihood)  # [B]
        kl = closed_form(problem, self.kl, "ScoreFunction")
        if kl is not None:
            objective = draws.log_likelihood - penalty(beta, ELBOTerms(log_likelihood, kl), problem)
            # The penalty, the same for every z, only moves what the baseline has to foretell.
            signal = draws.log_likelihood if isinstance(beta, KLPenalty) else objective
        else:
            kl = mean_over_draws(draws.log_posterior - draws.log_prior)
            signal, objective = draws.log_weights(beta), draws.log_likelihood + weighed(beta, draws.log_prior)
        signal = tf.stop_gradient(signal)  # [S, B]
        advantage, baseline_loss = signal, tf.zeros_like(kl)
        if self.baseline is not None:
            foretold = tf.cast(tf.reshape(_one_an_example(self.baseline, problem.x), tf.shape(kl)), signal.dtype)  # [B]
            advantage = signal - tf.stop_gradient(foretold)
            baseline_loss = mean_over_draws(tf.square(signal - foretold))
        return Estimate(
            surrogate_loss=baseline_loss - mean_over_draws(objective + advantage * draws.log_posterior),
            bound=log_likelihood - kl,
            log_likelihood=log_likelihood,
            kl=kl,
        )

    def update(self, estimate: Estimate, *, beta: KLPenalty | Tensor | float = 1.0) -> None:
        """Lets a running mean see a training step's learning signal."""
        if isinstance(self.baseline, RunningMean):
            weighed = 0.0 if isinstance(beta, KLPenalty) else as_dtype(beta, estimate.kl.dtype) * estimate.kl
            self.baseline.update(estimate.log_likelihood - weighed)

    def get_config(self) -> dict[str, Any]:
        baseline = None if self.baseline is None else keras.saving.serialize_keras_object(self.baseline)
        return {**super().get_config(), "baseline": baseline}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        baseline = config.get("baseline")
        if isinstance(baseline, dict):
            config = {**config, "baseline": keras.saving.deserialize_keras_object(baseline)}
        return cls(**config)


def _one_an_example(baseline: keras.layers.Layer, x: Tensor) -> Tensor:
    """What the baseline says of x, `[B]` or `[B, 1]`."""
    values = tf.convert_to_tensor(baseline(x))
    if values.shape.rank != 1 and (values.shape.rank != 2 or values.shape[1] not in (1, None)):
        raise ValueError(
            f"A baseline returns one number an example, of shape [B] or [B, 1]. '{baseline.name}' returned shape "
            f"{tuple(values.shape)}."
        )
    return values
