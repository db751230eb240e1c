"""Sizes of the experiment for each budget."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Budget:
    """Sizes that depend on the budget.

    Attributes:
        num_passes: Passes over the training images.
        num_train: Number of training images. The paper has 45,000, and 5,000 for validation.
        num_test: Number of test images.
        num_importance_samples: Importance samples per image for log p(x).
    """

    num_passes: int
    num_train: int = 45_000
    num_test: int = 10_000
    num_importance_samples: int = 100


BUDGETS = {
    "quick": Budget(5, num_train=10_000, num_test=1_000),
    "standard": Budget(100),
    "full": Budget(500),
}
