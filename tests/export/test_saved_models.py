"""The model that ships in `saved_models/`, as a user without tfvae meets it."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tfvae
from tfvae.export.signature_names import DEFAULT, MEANS, SIGNATURES

MODEL = Path(__file__).parents[2] / "saved_models" / "digits_vae" / "1"
SEED = np.array([11, 12], np.int32)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """The scans themselves, all 1,797, scaled to [0, 1]."""
    return (load_digits().images / 16.0).astype("float32")[..., np.newaxis]


def negative_log_likelihood(x: np.ndarray, mean: np.ndarray) -> float:
    """Of Bernoulli pixels, in nats a digit."""
    mean = np.clip(mean, 1e-6, 1 - 1e-6)
    return -float(np.mean(np.sum(x * np.log(mean) + (1 - x) * np.log1p(-mean), axis=(1, 2, 3))))


def test_it_is_small():
    assert sum(file.stat().st_size for file in MODEL.rglob("*") if file.is_file()) <= 2 * 2**20


def test_it_names_no_place_of_the_machine_that_made_it():
    content = b"".join(file.read_bytes() for file in MODEL.rglob("*") if file.is_file())
    assert not [
        place for place in (b"/home/", b"/root/", b"site-packages", str(MODEL.parents[2]).encode()) if place in content
    ]


def test_it_is_what_save_writes_today():
    loaded = tfvae.export.load(MODEL)
    assert set(loaded.signatures) == {*SIGNATURES, *MEANS, DEFAULT}


def test_every_signature_answers(server, digits):
    x = digits[:9]
    encoded = server("call", MODEL, "encode", x=x, seed=SEED)
    assert {name: value.shape for name, value in encoded.items()} == {name: (9, 8) for name in ("loc", "scale", "z")}
    assert (encoded["scale"] > 0).all()
    answers = [
        server("call", MODEL, "decode", z=encoded["z"], seed=SEED),
        server("call", MODEL, "reconstruct", x=x, seed=SEED),
        server("call", MODEL, "sample", num_samples=9, seed=SEED),
    ]
    for answer in answers:
        assert answer["mean"].shape == answer["sample"].shape == (9, 8, 8, 1)
        assert ((answer["mean"] > 0) & (answer["mean"] < 1)).all()
        assert set(np.unique(answer["sample"])) == {0.0, 1.0}
    mean = server("call", MODEL, "likelihood", z=encoded["loc"])["mean"]
    np.testing.assert_allclose(server("call", MODEL, "serving_default", x=x)["mean"], mean, rtol=1e-5, atol=1e-6)


def test_it_reconstructs_digits(server, digits):
    mean = server("call", MODEL, "serving_default", x=digits)["mean"]
    # Grey pixels cost their own entropy even when they are known exactly; what is above that can be saved.
    least = negative_log_likelihood(digits, digits)
    constant = negative_log_likelihood(digits, digits.mean(axis=0))  # the best image that does not depend on x
    assert negative_log_likelihood(digits, mean) - least < 2 / 3 * (constant - least)


def test_its_samples_look_like_digits(server, digits):
    """Each lies as near to some digit as digits lie to one another, unlike images of independent pixels."""

    def nearest(images, others):
        distances = np.linalg.norm(images.reshape(-1, 1, 64) - others.reshape(1, -1, 64), axis=-1)
        return float(np.median(distances.min(axis=1)))

    samples = server("call", MODEL, "sample", num_samples=100, seed=SEED)["mean"]
    pixels = np.random.default_rng(0).permuted(digits[:100], axis=0)
    half = len(digits) // 2
    among_digits, of_pixels = nearest(digits[half:], digits[:half]), nearest(pixels, digits)
    assert nearest(samples, digits) < (among_digits + of_pixels) / 2


def test_its_bounds_are_those_of_a_trained_model(server, digits):
    x = np.random.default_rng(0).binomial(1, digits[:200]).astype("float32")
    elbo = server("call", MODEL, "elbo", x=x, num_samples=20, seed=SEED)
    log_marginal = server("call", MODEL, "log_marginal", x=x, num_samples=500, seed=SEED)["log_marginal"]
    np.testing.assert_allclose(elbo["elbo"], elbo["log_likelihood"] - elbo["kl"], rtol=1e-4)
    assert elbo["elbo"].mean() < log_marginal.mean()
    # Independent pixels, each with its own mean, are the best model without latent variables.
    assert elbo["elbo"].mean() > -negative_log_likelihood(x, digits.mean(axis=0)) + 2
