"""The wake-sleep algorithm, the baseline of the AEVB paper."""

import dataclasses

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._dreams import dream_log_prob
from tfvae.estimators.draws import draw, kl_of, mean_over_draws, weighed
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class WakeSleep(Configured):
    """The wake-sleep algorithm: two objectives, one for each half of the model, that share no gradient.

    Wake: z is drawn from q(z|x) and counts as data for decoder and prior, which maximise log p(x, z). Sleep: (z, x) is
    drawn from the model, and the encoder maximises log q(z|x). Works with discrete latents. The encoder follows
    KL(p || q) on dreams rather than the bound on data, so that together the two optimise no bound; what is reported is
    the ELBO of the wake phase's draws.

    Args:
        num_samples: S, draws of z an example in the wake phase.

    Raises:
        ValueError: for fewer than one sample, or when called without `infer`.

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
        wake = mean_over_draws(draws.log_likelihood + weighed(beta, draws.log_prior))
        sleep = dream_log_prob(problem, seed=seed_dream)
        return Estimate(
            surrogate_loss=-(wake + sleep),
            bound=mean_over_draws(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            kl=kl_of(problem, draws),
        )
