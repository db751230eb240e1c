"""How much of the paper's experiments to run."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

# Of `log_marginal_hmc`: the paper has 50 samples, 4 leapfrog steps.
CHAINS: Mapping[str, int] = MappingProxyType(
    {"num_samples": 50, "num_burnin": 60, "num_chains": 1, "max_tree_depth": 2}
)


@dataclasses.dataclass(frozen=True)
class Budget:
    """The sizes that a budget decides; everything else is the paper's.

    Attributes:
        num_samples: training samples a curve; the paper's axes end between 10^7.5 and 10^8.
        pilot_samples: training samples on which each learning rate is tried.
        points_per_decade: measurements between one power of ten of training samples and the next.
        num_bound: examples of the training and of the test set on which bounds are measured.
        num_marginal: likewise, log p(x) by Markov chains (the paper: 1,000).
        chains: their lengths.
        mnist_latent_sizes: N_z of figure 2's panels of MNIST.
        frey_latent_sizes: of Frey Face.
        sample_latent_sizes: N_z of figure 5's panels.
        weights_training_sizes: N of appendix F.
        weights_num_samples: training samples of each of its models.
        num_weight_draws: draws of its weights for log p(x).
        num_repeats: gradients an estimator, for their variance.
        jit_compile: of the training; compiling by XLA takes longer than a short training without it.
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
