"""Sizes of the experiments for each budget."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

# Arguments of `log_marginal_hmc`. The paper uses 50 samples and 4 leapfrog steps.
CHAINS: Mapping[str, int] = MappingProxyType(
    {"num_samples": 50, "num_burnin": 60, "num_chains": 1, "max_tree_depth": 2}
)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Sizes that depend on the budget. Everything else is as in the paper.

    Attributes:
        num_samples: Training samples per curve. The axes in the paper end between 10^7.5 and 10^8.
        pilot_samples: Training samples for trying each learning rate.
        points_per_decade: Measurements per power of ten of training samples.
        num_bound: Training and test examples for measuring bounds.
        num_marginal: Training and test examples for measuring log p(x) with Markov chains. The paper uses 1,000.
        chains: Lengths of these Markov chains.
        mnist_latent_sizes: N_z of the MNIST panels of figure 2.
        frey_latent_sizes: N_z of the Frey Face panels of figure 2.
        sample_latent_sizes: N_z of the panels of figure 5.
        weights_training_sizes: N of appendix F.
        weights_num_samples: Training samples for each model of appendix F.
        num_weight_draws: Draws of the weights for log p(x) in appendix F.
        num_repeats: Gradients per estimator, for their variance.
        jit_compile: Whether to train with XLA, whose compilation takes longer than a short training without it.
        initial_variance: Variance of the initial weights in figures 2 and 3, see `READINGS`.
    """

    num_samples: int
    pilot_samples: int
    points_per_decade: int
    num_bound: int
    num_marginal: int
    chains: Mapping[str, int] = dataclasses.field(default_factory=lambda: CHAINS)
    mnist_latent_sizes: tuple[int, ...] = (3, 5, 10, 20, 200)
    frey_latent_sizes: tuple[int, ...] = (2, 5, 10, 20)
    sample_latent_sizes: tuple[int, ...] = (2, 5, 10, 20)
    weights_training_sizes: tuple[int, ...] = (100, 300, 1_000, 3_000, 10_000)
    weights_num_samples: int = 2_000_000
    num_weight_draws: int = 8
    num_repeats: int = 100
    jit_compile: bool | Literal["auto"] = "auto"
    initial_variance: float = 1e-4


# The paper draws initial weights from N(0, 0.01). Wake-sleep, its baseline, does better with a standard deviation of
# 0.01 than with a variance of 0.01.
READINGS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"stddev": {"initial_variance": 1e-4}, "variance": {"initial_variance": 0.01}}
)

BUDGETS = {
    "quick": Budget(
        num_samples=20_000,
        pilot_samples=1_000,
        points_per_decade=2,
        num_bound=1_000,
        num_marginal=50,
        chains={**CHAINS, "num_samples": 10, "num_burnin": 10},
        mnist_latent_sizes=(2, 20),
        frey_latent_sizes=(2,),
        sample_latent_sizes=(2, 20),
        weights_training_sizes=(100, 1_000),
        weights_num_samples=20_000,
        num_weight_draws=2,
        num_repeats=10,
        jit_compile=False,
    ),
    "standard": Budget(
        num_samples=10_000_000,
        pilot_samples=100_000,
        points_per_decade=6,
        num_bound=10_000,
        num_marginal=1_000,
        weights_training_sizes=(100, 1_000, 10_000),
    ),
    "full": Budget(
        num_samples=100_000_000,
        pilot_samples=100_000,
        points_per_decade=6,
        num_bound=10_000,
        num_marginal=1_000,
        weights_num_samples=50_000_000,
    ),
}
