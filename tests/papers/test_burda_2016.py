"""Table 1's model and schedule."""

import numpy as np
import pytest

from tfvae.data import Split
from tfvae.papers import burda_2016
from tfvae.papers.burda_2016 import PUBLISHED, build_vae


@pytest.fixture(scope="module")
def train():
    gray = np.random.default_rng(0).integers(256, size=(60, 28, 28, 1)).astype("uint8")
    return Split(gray, num_levels=256)


@pytest.mark.parametrize("row", [PUBLISHED[0], PUBLISHED[3]], ids=["VAE", "IWAE"])
@pytest.mark.slow
def test_goes_on_bit_for_bit(train, tmp_path, row):
    def schedule():
        return burda_2016._learner(build_vae(train, row, 0.01, seed=0), train, seed=0)

    learner = schedule()
    learner.advance(4 * 60)
    learner.save(tmp_path)
    learner.advance(3 * 60)
    other = schedule()
    other.load(tmp_path)
    other.advance(3 * 60)
    assert int(other.vae.optimizer.iterations.numpy()) == 7 * 3
    for a, b in zip(learner.vae.get_weights(), other.vae.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_minibatches_differ_between_seeds(train, monkeypatch):
    taken = []
    for seed in (0, 1):
        learner = burda_2016._learner(build_vae(train, PUBLISHED[0], 0.01, seed=0), train, seed=seed)
        monkeypatch.setattr(learner.vae, "fit", lambda batches, **_: taken.append(next(iter(batches.take(1)))))
        learner.advance(60)
    assert np.any(np.asarray(taken[0]) != np.asarray(taken[1]))


def test_learning_rate_falls_at_the_papers_passes(train):
    vae = build_vae(train, PUBLISHED[0], 1.0, seed=0)  # three steps a pass
    rate = vae.optimizer._learning_rate
    ends = 3 * np.cumsum(burda_2016.NUM_PASSES)
    for i, end in enumerate(ends):
        np.testing.assert_allclose(rate(int(end) - 1), 1e-3 * 10 ** (-i / 7), rtol=1e-5)
    assert vae.optimizer.epsilon == 1e-4
    assert vae.latent_shape == (50,)
