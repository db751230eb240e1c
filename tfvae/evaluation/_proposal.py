"""Problems whose draws are those of an estimator."""

from typing import Any

from tfvae.estimators import Estimator, EstimatorWithProposal, Problem
from tfvae.estimators.estimator import require_estimator
from tfvae.typing import Tensor


def require_proposal(estimator: Estimator | None) -> None:
    """Raises an error unless `estimator` is None or has draws of its own.

    Raises:
        TypeError: If it is not an estimator.
        ValueError: If its draws are those of q(z|x).
    """
    if estimator is not None and not isinstance(require_estimator(estimator), EstimatorWithProposal):
        raise ValueError(
            "`estimator` must have a proposal of its own, such as HamiltonianELBO. The draws of other estimators are "
            f"those of q(z|x), which are used without it. Received: estimator={estimator!r}"
        )


def with_proposal(problem: Problem, estimator: Any, *, chunk_size: Tensor | int | None = None) -> Problem:
    """Returns the problem with the draws of the estimator, or unchanged if the estimator is None."""
    return problem if estimator is None else estimator.with_proposal(problem, chunk_size=chunk_size)


def about_proposal(estimator: Estimator | None) -> dict[str, str]:
    """Returns the entry of the diagnostics that names the estimator; empty if it is None."""
    return {} if estimator is None else {"proposal": repr(estimator)}
