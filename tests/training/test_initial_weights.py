"""The decoder starts at the marginal distribution of each pixel, whatever z is."""

import numpy as np
import pytest

import tfvae
from tfvae.data.splits import make_splits
from tfvae.evaluation import independent_log_likelihood
from tfvae.training import RunConfig, build_vae
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData


def decoded_at_zero_weights(vae):
    """p(x|z) when the last layer ignores its input: what the bias alone says."""
    last = [layer for layer in vae.decoder.layers[0].layers if getattr(layer, "bias", None) is not None][-1]
    last.kernel.assign(np.zeros(last.kernel.shape))
    return vae.decode(np.ones((1, *vae.latent_shape), "float32"))


def test_bernoulli_mlp_starts_at_the_pixels_means():
    splits = tfvae.data.load("digits")
    config = resolve(RunConfig.from_dict(), splits)
    mean = RunData(config, splits).train().x.mean(axis=0)
    found = decoded_at_zero_weights(build_vae(config, splits)).mean()[0]
    np.testing.assert_allclose(found, np.clip(mean, 1e-3, 1 - 1e-3), rtol=1e-4)


def test_normal_mlp_starts_at_means_and_scales():
    x = (np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 7.0, 0.1] + [5.0, -2.0, 0.0]).astype("float32")
    splits = tfvae.data.Splits("own", tfvae.data.Split(x))
    config = resolve(RunConfig.from_dict({"data": {"name": "own"}}), splits)
    found = decoded_at_zero_weights(build_vae(config, splits))
    np.testing.assert_allclose(found.mean()[0], x.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.stddev()[0], x.std(axis=0), rtol=1e-4)


@pytest.mark.parametrize("standardize", ["on", "off"])
def test_a_model_starts_at_the_moments_of_observed_values(standardize):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 3)) * [1.0, 7.0, 0.1] + [5.0, -2.0, 0.0]).astype("float32")
    observed = rng.uniform(size=x.shape) < 0.6
    split = tfvae.data.Split(np.where(observed, x, 0.0), observed=observed)
    splits = tfvae.data.Splits("own", split)
    tables = {
        "data": {"name": "own", "missing": "nan"},
        "model": {"standardize": standardize, "prior": {"kind": "vamp", "num_components": 4}},
    }
    config = resolve(RunConfig.from_dict(tables), splits)
    vae = build_vae(config, splits)
    assert vae.missing == "nan"
    x = np.where(observed, x, np.nan)
    mean = np.nanmean(x, axis=0)
    pseudo_inputs = vae.prior.pseudo_input_weights.numpy()
    filled = {row.tobytes() for row in np.where(observed, x, mean).astype("float32").round(3)}
    assert {row.tobytes() for row in pseudo_inputs.round(3)} <= filled
    found = decoded_at_zero_weights(vae)
    np.testing.assert_allclose(found.mean()[0], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.stddev()[0], np.nanstd(x, axis=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("network", "likelihood", "spatial"),
    [("conv", "bernoulli", (9, 7)), ("conv", "normal", (9, 7)), ("resnet", "normal", (5, 4, 3))],
)
def test_conv_starts_at_each_channels_mean(network, likelihood, spatial):
    x = np.random.default_rng(0).integers(0, 256, (50, *spatial, 2)).astype("uint8")
    x[..., 1] //= 2
    splits = tfvae.data.Splits("own", tfvae.data.Split(x, num_levels=256))
    model = {"network": network, "filters": (4,), "likelihood": likelihood, "standardize": "off"}
    tables = {"data": {"name": "own"}, "model": model}
    config = resolve(RunConfig.from_dict(tables), splits)
    found = np.asarray(decoded_at_zero_weights(build_vae(config, splits)).mean())[0]
    expected = RunData(config, splits).train().x.mean(axis=tuple(range(len(spatial) + 1)))
    places = tuple(range(len(spatial)))
    np.testing.assert_allclose(found.mean(axis=places), expected, atol=0.01)
    assert found.std(axis=places).max() < 1e-5


def test_a_standardized_model_starts_at_independent_normals_in_any_unit():
    x = np.random.default_rng(0).normal(size=(300, 13)) @ np.random.default_rng(1).normal(size=(13, 13))
    found = {}
    for unit in (1.0, 1e-6):
        splits = make_splits("own", {"train": unit * x}, {}, "own.npy")
        tables = {"data": {"name": "own"}, "model": {"hidden": (16,)}, "training": {"learning_rate": 0.01}}
        config = resolve(RunConfig.from_dict(tables), splits)
        data = RunData(config, splits)
        vae, split = build_vae(config, splits), data.train()
        vae.compile(vae.optimizer, jit_compile=False)
        first = np.mean(vae.elbo(split.x, num_samples=10, seed=0))
        assert first == pytest.approx(independent_log_likelihood(split.x, split.x, "normal").mean, abs=0.2)
        vae.fit(data.batches(), steps_per_epoch=3, epochs=20, verbose=0)
        found[unit] = np.mean(vae.elbo(split.x, num_samples=10, seed=0))
        assert found[unit] > first + 1.0
    # The same model in another unit: the density is that of x / unit, times the Jacobian.
    assert found[1e-6] == pytest.approx(found[1.0] + 13 * np.log(1e6), abs=0.02)
