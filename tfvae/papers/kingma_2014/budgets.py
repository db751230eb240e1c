"""Sizes of the experiments for each budget."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Budget:
    """Sizes that depend on the budget.

    Attributes:
        numbers_of_labels: Numbers of labelled images.
        num_draws: Number of label draws for each number.
        m1_passes: Passes over the training images of M1.
        m2_passes: Passes of M2.
        stacked_passes: Passes of the second model of M1+M2, over draws of the latents of M1.
        density_passes: Passes of the models of table 4.
        num_train: Number of training images.
        num_test: Number of test images.
        num_importance_samples: Importance samples per image for log p(x).
        num_marginal: Number of test images for log p(x).
    """

    numbers_of_labels: tuple[int, ...] = (100, 600, 1_000, 3_000)
    num_draws: int = 3
    m1_passes: int = 16
    m2_passes: int = 10
    stacked_passes: int = 30
    density_passes: int = 10
    num_train: int = 50_000
    num_test: int = 10_000
    num_importance_samples: int = 500
    num_marginal: int = 1_000


BUDGETS = {
    "quick": Budget(
        (100,),
        num_draws=1,
        m1_passes=2,
        m2_passes=2,
        stacked_passes=4,
        density_passes=2,
        num_train=10_000,
        num_test=2_000,
        num_importance_samples=50,
        num_marginal=200,
    ),
    "standard": Budget(),
    "full": Budget(num_draws=10, m1_passes=100, m2_passes=100, stacked_passes=200, density_passes=100),
}
