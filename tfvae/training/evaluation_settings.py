"""Settings of the evaluation of a run."""

import dataclasses

from tfvae.parts.arguments import require
from tfvae.training.counts import COUNT, is_count


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """Settings of the evaluation after training.

    Attributes:
        num_samples: Number of draws of z per example for the ELBO.
        num_importance_samples: Number of importance samples K per example for log p(x).
        num_examples: Maximum number of examples for slow measures: refined posteriors and Markov chains.
    """

    num_samples: int = 10
    num_importance_samples: int = 500
    num_examples: int = 50

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            require(is_count(value), f"evaluation.{field.name}", COUNT, value)
