"""VAETransformer with compiled training: searches in several processes."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from tfvae.sklearn import VAETransformer

pytestmark = pytest.mark.slow

SMALL = VAETransformer(latent_size=2, hidden=(4,), epochs=1, num_importance_samples=5, random_state=0)
RNG = np.random.default_rng(0)
X = RNG.normal([0.0, 50.0, -3.0], [1.0, 9.0, 0.1], size=(60, 3))


def test_search_in_several_processes():
    halves = KFold(2)
    search = GridSearchCV(clone(SMALL), {"epochs": [1, 60]}, cv=halves, n_jobs=2).fit(X)
    assert search.best_params_ == {"epochs": 60}
    train, test = next(halves.split(X))
    alone = clone(SMALL).fit(X[train]).score(X[test])
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(alone, rel=1e-4)
