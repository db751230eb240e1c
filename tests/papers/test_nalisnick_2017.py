"""Models and claims of the reproduction."""

import numpy as np
import pytest

from tfvae.data import Split
from tfvae.papers.nalisnick_2017 import models, report
from tfvae.papers.nalisnick_2017.mnist import _drawn, _errors
from tfvae.papers.nalisnick_2017.models import BATCH_SIZE, ROWS, build_vae
from tfvae.papers.scheduled_learner import PassesLearner


@pytest.fixture(scope="module")
def train():
    gray = np.random.default_rng(0).integers(256, size=(200, 28, 28, 1)).astype("uint8")
    return Split(gray, np.arange(200) % 10, num_levels=256)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_models_of_all_rows(train, row):
    vae = build_vae(row, train, 2, seed=0)
    is_gaussian = row.name == report.GAUSSIAN
    assert vae.latent_shape == (50 if is_gaussian else 49,)
    features = _drawn(vae, train, seed=0)
    assert features.shape == (200, 50)
    if not is_gaussian:
        np.testing.assert_allclose(features.sum(axis=1), 1.0, rtol=1e-5)
    assert _errors(vae, train, train, _drawn, seed=0).keys() == {"3", "5", "10"}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_goes_on_bit_for_bit(train, tmp_path, row):
    learner = PassesLearner(build_vae(row, train, 3, seed=0), train, batch_size=BATCH_SIZE, seed=0)
    learner.advance(2 * 200)
    learner.save(tmp_path)
    learner.advance(200)
    other = PassesLearner(build_vae(row, train, 3, seed=0), train, batch_size=BATCH_SIZE, seed=0)
    other.load(tmp_path)
    other.advance(200)
    for a, b in zip(learner.vae.get_weights(), other.vae.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_claims():
    def point(nll, error):
        return {"negative_log_likelihood": nll, "standard_error": 0.1, "errors_of_draws": {"5": error}}

    good = {"Gaussian": point(96.5, 21.0), "Kumaraswamy": point(98.5, 8.0), "gamma": point(99.0, 9.0)}
    assert all(claim.holds for claim in report.claims_of(good, is_quick=False))
    bad = {**good, "Kumaraswamy": point(96.0, 12.0)}
    assert [claim.holds for claim in report.claims_of(bad, is_quick=False)] == [False] * 4
    assert len(report.claims_of(good, is_quick=True)) == 2
    assert models.NUM_SHARES == 50
