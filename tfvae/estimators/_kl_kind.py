"""Which KL an estimator takes: the closed form or the draws."""

from typing import Any

from tfvae._kl import exact_kl, has_exact_kl
from tfvae.typing import Distribution, KLKind


def kl_kind(kl: Any) -> KLKind:
    """The argument as it is; ValueError for another than the three."""
    if kl not in ("auto", "analytic", "monte_carlo"):
        raise ValueError(f"kl is 'auto', 'analytic' (estimator B) or 'monte_carlo' (estimator A). Received: {kl!r}.")
    return kl


def knows_exact_kl(posterior: Distribution, prior: Distribution, kl: KLKind, estimator: str = "SGVB") -> bool:
    """Whether to take the closed form.

    Raises:
        NotImplementedError: for "analytic" where none is known.
    """
    if kl != "analytic":
        return kl == "auto" and has_exact_kl(posterior, prior)
    try:
        exact_kl(posterior, prior)
    except NotImplementedError as error:
        raise NotImplementedError(
            f"No closed form of KL(q || p) is known for q = {posterior!r} and p = {prior!r}. "
            f"Use {estimator}(kl='monte_carlo'), the paper's estimator A, or kl='auto'."
        ) from error
    return True
