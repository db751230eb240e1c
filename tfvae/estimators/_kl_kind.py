"""The choice of the KL: in closed form or by Monte Carlo."""

from typing import Any

from tfvae._kl import exact_kl, exact_kl_or_none
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Tensor


def kl_kind(kl: Any) -> KLKind:
    """Returns the argument `kl`, or raises ValueError if it is not one of the three kinds."""
    if kl not in ("auto", "analytic", "monte_carlo"):
        raise ValueError(
            f"`kl` must be 'auto', 'analytic' (estimator B) or 'monte_carlo' (estimator A). Received: kl={kl!r}"
        )
    return kl


def closed_form(problem: Problem, kl: KLKind, estimator: str = "SGVB") -> Tensor | None:
    """Computes KL(q || p) `[B]` in closed form; returns None if the estimator has to use its draws.

    Raises:
        NotImplementedError: If `kl` is "analytic" and no closed form is known.
    """
    posterior, prior = problem.posterior, problem.prior
    if kl != "analytic":
        return exact_kl_or_none(posterior, prior) if kl == "auto" else None
    try:
        return exact_kl(posterior, prior)
    except NotImplementedError as error:
        raise NotImplementedError(
            "No closed form of the KL between these distributions is known. Use "
            f"{estimator}(kl='monte_carlo'), the paper's estimator A, or kl='auto'. "
            f"Received: posterior={posterior!r}, prior={prior!r}"
        ) from error
