"""Which KL an estimator takes: the closed form or the draws."""

from typing import Any

from tfvae._kl import exact_kl, exact_kl_or_none
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Tensor


def kl_kind(kl: Any) -> KLKind:
    """The argument as it is; ValueError for another than the three."""
    if kl not in ("auto", "analytic", "monte_carlo"):
        raise ValueError(f"kl is 'auto', 'analytic' (estimator B) or 'monte_carlo' (estimator A). Received: {kl!r}.")
    return kl


def closed_form(problem: Problem, kl: KLKind, estimator: str = "SGVB") -> Tensor | None:
    """KL(q || p) `[B]` where the closed form is to be taken, else None.

    Raises:
        NotImplementedError: for "analytic" where none is known.
    """
    posterior, prior = problem.posterior, problem.prior
    if kl != "analytic":
        return exact_kl_or_none(posterior, prior) if kl == "auto" else None
    try:
        return exact_kl(posterior, prior)
    except NotImplementedError as error:
        raise NotImplementedError(
            f"No closed form of KL(q || p) is known for q = {posterior!r} and p = {prior!r}. "
            f"Use {estimator}(kl='monte_carlo'), the paper's estimator A, or kl='auto'."
        ) from error
