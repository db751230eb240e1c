"""Criteria for active latent units and for posterior collapse."""

import math

# Variance over x of E[z_d|x] above which a unit counts as active (Burda et al. 2015, arXiv 1509.00519, section 5.2).
ACTIVE_THRESHOLD = 0.01

# A rate below this, in nats, means that z contains almost no information on x: about a seventh of a bit.
COLLAPSE_THRESHOLD = 0.1


def collapse(rate: float, units: tuple[int, int] | None, rate_error: float | None = None) -> tuple[bool, str]:
    """Checks for posterior collapse.

    Args:
        rate: Mean KL E_x KL(q(z|x) || p(z)) in nats.
        units: Number of active latent units and number of all latent units, or None if unknown.
        rate_error: Standard error of `rate`, for the message.

    Returns:
        Whether the posterior has collapsed, and a sentence that describes the result.
    """
    if not math.isfinite(rate):
        return False, f"The rate is {rate:g} nats. It is not finite, so collapse cannot be determined."
    activity = "" if units is None else f"{units[0]} of {units[1]} latent units are active and "
    error = "" if rate_error is None else f" ± {rate_error:.2g}"
    measured = f"{activity}the rate is {rate:.3g}{error} nats"
    if (units is not None and units[0] == 0) or rate < COLLAPSE_THRESHOLD:
        return True, (
            f"Posterior collapse: {measured} (criterion: no active unit, or a rate below {COLLAPSE_THRESHOLD} nats). "
            "The decoder ignores z. Train with a KL warm-up, free bits, a smaller beta or a weaker decoder."
        )
    return False, f"No posterior collapse: {measured}."
