"""The area under the ROC curve: the value of scikit-learn, and a standard error that simulation confirms."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tfvae.evaluation import auroc


def test_the_area_is_that_of_scikit_learn_also_with_ties():
    rng = np.random.default_rng(0)
    is_anomaly = rng.uniform(size=200) < 0.2
    scores = np.round(rng.normal(size=200) + is_anomaly, 1)
    found = auroc(scores, is_anomaly)
    assert found.area == pytest.approx(roc_auc_score(is_anomaly, scores), abs=1e-12)
    assert (found.num_anomalies, found.num_normal) == (is_anomaly.sum(), (~is_anomaly).sum())


def test_the_standard_error_is_the_spread_over_samples():
    rng = np.random.default_rng(1)
    is_anomaly = np.arange(120) < 40
    found = [auroc(rng.normal(size=120) + is_anomaly, is_anomaly) for _ in range(2000)]
    areas = [each.area for each in found]
    assert np.std(areas) == pytest.approx(np.mean([each.standard_error for each in found]), rel=0.1)
    assert np.mean(areas) == pytest.approx(0.760, abs=0.01)  # the normal distribution at 1 / sqrt(2)


def test_infinite_scores_and_what_has_no_area():
    found = auroc([np.inf, 2.0, np.inf, 1.0], [True, False, False, False])
    assert found.area == pytest.approx(2.5 / 3)
    assert np.isnan(found.standard_error)
    for scores, kinds in (([1.0, 2.0], [False, False]), ([1.0, 2.0], [True, True]), ([1.0, np.nan], [True, False])):
        with pytest.raises(ValueError, match="Received"):
            auroc(scores, kinds)
