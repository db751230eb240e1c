"""An estimator with an extra reported term, as a newcomer writes it: SGVB that reports the entropy of q(z|x)."""

import dataclasses

import keras
import numpy as np
from small_models import random_bits, small_vae

import tfvae
from tfvae.estimators import SGVB


@keras.saving.register_keras_serializable("newcomer")
@dataclasses.dataclass(frozen=True)
class SGVBWithEntropy:
    """The paper's estimator, and how wide q(z|x) is."""

    num_samples: int = 1

    def __call__(self, problem, *, beta=1.0, seed=None):
        estimate = SGVB(self.num_samples)(problem, beta=beta, seed=seed)
        return estimate._replace(terms={"entropy": problem.posterior.entropy()})

    def get_config(self):
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_its_term_is_a_metric_and_it_is_saved(tmp_path):
    vae, x = small_vae(estimator=SGVBWithEntropy(2)), random_bits(8, (4, 2))
    vae.compile("adam", run_eagerly=True)
    expected = np.mean(vae.encode(x).entropy())
    np.testing.assert_allclose(
        vae.evaluate(x, batch_size=8, verbose=0, return_dict=True)["entropy"], expected, rtol=1e-5
    )
    history = vae.fit(x, batch_size=8, epochs=2, validation_data=x, verbose=0).history
    assert len(history["entropy"]) == len(history["val_entropy"]) == 2
    vae.save(tmp_path / "vae.keras")
    assert tfvae.load_model(tmp_path / "vae.keras").estimator == SGVBWithEntropy(2)
