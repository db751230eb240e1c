"""The wake-sleep algorithm."""

import dataclasses

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._dreams import dream_log_prob
from tfvae.estimators.draws import draw, mean_over_draws, multiply_no_nan, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class WakeSleep(Configured):
    """The wake-sleep algorithm, with which the AEVB paper compares: separate objectives for encoder and decoder.

    Wake: z is drawn from q(z|x) and treated as data for decoder and prior, which maximise log p(x, z). Sleep: (z, x) is
        drawn from the model, and the encoder maximises log q(z|x). Works with discrete latents. The encoder minimises
        KL(p || q) on dreams instead of maximising the bound on data, so that the two phases do not optimise a common
        bound. The reported bound is the ELBO of the wake phase's draws.

    Args:
        num_samples: S, number of draws of z per example in the wake phase.

    Raises:
        ValueError: If `num_samples` is below one; when called, if the problem has no `infer`.

    References:
        Hinton, Dayan, Frey & Neal, The wake-sleep algorithm for unsupervised neural networks, 1995, Science 268.
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 5.
    """

    num_samples: int = 1

    def __post_init__(self) -> None:
        self._check_counts("num_samples")

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        seed_z, seed_dream = split_seed(seed, 2, "wake_sleep")
        draws = draw(problem, sample_shape=[self.num_samples], seed=seed_z, fixed=True)  # [S, B]
        wake = mean_over_draws(draws.log_likelihood + multiply_no_nan(beta, draws.log_prior))
        sleep = dream_log_prob(problem, seed=seed_dream)
        return Estimate(
            surrogate_loss=-(wake + sleep),
            bound=mean_over_draws(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )
