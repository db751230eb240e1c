"""When a latent dimension counts as active, and when a posterior has collapsed."""

import math

# Variance over x of E[z_d|x] above which a unit counts as active (Burda et al. 2015, arXiv 1509.00519, section 5.2).
ACTIVE_THRESHOLD = 0.01

# Below this rate, in nats, an example's z tells next to nothing of it: less than a seventh of a yes or no.
COLLAPSE_THRESHOLD = 0.1


def collapse(rate: float, units: tuple[int, int] | None, rate_error: float | None = None) -> tuple[bool, str]:
    """Whether z has stopped to depend on x, and a sentence on that.

    Args:
        rate: E_x KL(q(z|x) || p(z)), nats.
        units: how many latent units are active, and how many there are; None where that is not known.
        rate_error: the standard error of `rate`, if it is to be told.
    """
    if not math.isfinite(rate):
        return False, f"The rate is {rate:g} nats: the model's numbers are not finite, and say nothing of a collapse."
    told = "" if units is None else f"{units[0]} of {units[1]} latent units are active and "
    error = "" if rate_error is None else f" ± {rate_error:.2g}"
    measured = f"{told}the rate is {rate:.3g}{error} nats"
    if (units is not None and units[0] == 0) or rate < COLLAPSE_THRESHOLD:
        return True, (
            f"Posterior collapse: {measured} (alarm: no unit active, or less than {COLLAPSE_THRESHOLD} nats), so that "
            "the decoder ignores z. Train with a KL warm-up, free bits, a smaller beta or a weaker decoder."
        )
    return False, f"No posterior collapse: {measured}."
