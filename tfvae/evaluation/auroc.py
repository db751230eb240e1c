"""How well scores separate two kinds of examples."""

import dataclasses
import math

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class AUROC:
    """Area under the ROC curve.

    Attributes:
        area: Probability that an anomaly has a higher score than a normal example; ties count one half.
        standard_error: Its standard error, over examples of both kinds.
        num_anomalies: Number of anomalies.
        num_normal: Number of other examples.
    """

    area: float
    standard_error: float
    num_anomalies: int
    num_normal: int

    def __repr__(self) -> str:
        return f"AUROC({self.area:.4f} ± {self.standard_error:.4f})"


def auroc(scores: np.ndarray, is_anomaly: np.ndarray) -> AUROC:
    """Computes the area under the ROC curve with its standard error.

    Args:
        scores: `[N]`, higher for anomalies, such as `Scores.surprise`. They may be infinite.
        is_anomaly: Boolean `[N]`.

    Raises:
        ValueError: If there are no anomalies or no other examples, shapes differ, or a score is NaN.

    Numerics:
        The standard error is NaN for a single example of a kind. It is zero if all anomalies have higher scores than
        all others, although another sample may differ.

    References:
        DeLong, DeLong & Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver Operating
        Characteristic Curves: A Nonparametric Approach, 1988, Biometrics 44(3). With ranks: Sun & Xu, Fast
        Implementation of DeLong's Algorithm, 2014, IEEE Signal Processing Letters 21(11).
    """
    scores, is_anomaly = np.asarray(scores, np.float64), np.asarray(is_anomaly, bool)
    if scores.ndim != 1 or scores.shape != is_anomaly.shape or np.isnan(scores).any():
        raise ValueError(
            "`scores` must be numbers [N] without NaN, and `is_anomaly` boolean [N]. Received: scores of shape "
            f"{scores.shape} with {int(np.isnan(scores).sum())} NaN, is_anomaly of shape {is_anomaly.shape}"
        )
    anomalies, normal = scores[is_anomaly], scores[~is_anomaly]
    m, n = len(anomalies), len(normal)
    if not m or not n:
        raise ValueError(
            "The area under the ROC curve needs anomalies and other examples. "
            f"Received: {m} anomalies and {n} other examples"
        )
    ranks = stats.rankdata(scores)
    of_anomalies = (ranks[is_anomaly] - stats.rankdata(anomalies)) / n  # share of normal examples below each anomaly
    of_normal = 1.0 - (ranks[~is_anomaly] - stats.rankdata(normal)) / m  # share of anomalies above each normal example
    variance = np.var(of_anomalies, ddof=1) / m + np.var(of_normal, ddof=1) / n if min(m, n) > 1 else math.nan
    return AUROC(float(np.mean(of_anomalies)), float(np.sqrt(variance)), m, n)
