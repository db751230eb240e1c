"""What the page is told, held against the model itself."""

import json

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.decomposition import PCA

import tfvae
from tfvae._display import Display
from tfvae.serving.explore import ExploredModel, add_explore, explored_run
from tfvae.serving.explore.model_input import ModelInput
from tfvae.serving.explore.plane import principal_plane
from tfvae.serving.explore.prior_moments import prior_moments


@pytest.fixture(scope="module")
def client(explored):
    return TestClient(add_explore(FastAPI(), explored))


@pytest.fixture(scope="module")
def x():
    return tfvae.data.load("digits").test.take(200).thresholded().x


def floats(response):
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<f4")


def body(*values):
    return np.array(values, "<f4").tobytes()


def test_the_map_is_the_posterior_means_by_label(client, digits_run, x):
    model = client.get("/explore/api/model").json()
    assert (model["latent_size"], model["num_examples"], model["event_shape"]) == (2, 200, [8, 8, 1])
    assert model["is_image"]
    assert model["dark_border"]
    assert model["input"]["kind"] == "binary"
    assert model["prior"] == {"mean": [0.0, 0.0], "stddev": [1.0, 1.0]}
    content = client.get("/explore/api/points").content
    loc = np.frombuffer(content[: 4 * 400], "<f4").reshape(200, 2)
    np.testing.assert_allclose(loc, digits_run.vae.encode(x).mean(), rtol=1e-5, atol=1e-6)
    labels = np.array([found["label"] for found in model["classes"]])
    classes = np.frombuffer(content[4 * 400 :], "<i4")
    np.testing.assert_array_equal(labels[classes], tfvae.data.load("digits").test.labels[:200])
    assert [found["count"] for found in model["classes"]] == np.bincount(classes).tolist()
    plane = model["principal_plane"]
    np.testing.assert_allclose(plane["origin"], loc.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(np.array(plane["axes"]) @ np.array(plane["axes"]).T, np.eye(2), atol=1e-6)


# Around the sizes that are compiled, 1 and 32.
@pytest.mark.parametrize("num", [1, 2, 31, 32, 33, 70])
def test_decode_is_the_models_mean(client, digits_run, num):
    z = np.random.default_rng(num).normal(size=(num, 2)).astype("<f4")
    found = floats(client.post("/explore/api/decode", content=z.tobytes())).reshape(num, 8, 8, 1)
    np.testing.assert_allclose(found, digits_run.vae.decode(z).mean(), rtol=1e-5, atol=1e-6)


def test_an_example_stands_beside_its_reconstruction(client, digits_run, x):
    found = floats(client.get("/explore/api/example/7")).reshape(2, 8, 8, 1)
    np.testing.assert_array_equal(found[0], x[7])
    mean = digits_run.vae.decode(digits_run.vae.encode(x[7:8]).mean()).mean()
    np.testing.assert_allclose(found[1], mean[0], rtol=1e-5, atol=1e-6)


def test_encode_is_the_models_bound_for_the_seed(client, digits_run, x):
    described = client.get("/explore/api/elbo").json()
    for seed in (0, 5):
        found = client.post(f"/explore/api/encode?seed={seed}", content=x[3].astype("<f4").tobytes()).json()
        elbo = digits_run.vae.elbo(x[3:4], num_samples=described["num_samples"], seed=seed)
        np.testing.assert_allclose(found["elbo"], elbo[0], rtol=1e-5)
        np.testing.assert_allclose(found["elbo"], found["log_likelihood"] - found["kl"], rtol=1e-5)
        np.testing.assert_allclose(found["bits_per_dim"], -found["elbo"] / (64 * np.log(2)), rtol=1e-6)
    posterior = digits_run.vae.encode(x[3:4])
    np.testing.assert_allclose(found["loc"], posterior.mean()[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["scale"], posterior.stddev()[0], rtol=1e-5)


def test_samples_come_from_the_prior(client, digits_run):
    found = floats(client.get("/explore/api/prior?num=64&seed=3"))
    z, means = found[:128].reshape(64, 2), found[128:].reshape(64, 8, 8, 1)
    np.testing.assert_allclose(means, digits_run.vae.decode(z).mean(), rtol=1e-5, atol=1e-6)
    # 128 standard normal numbers: their mean within five standard errors, and so their mean square.
    assert abs(z.mean()) < 5 / np.sqrt(128)
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / 128)
    np.testing.assert_array_equal(found, floats(client.get("/explore/api/prior?num=64&seed=3")))
    assert not np.array_equal(found, floats(client.get("/explore/api/prior?num=64&seed=4")))


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("POST", "decode", b"", 400, "2 for each z"),
        ("POST", "decode", b"abc", 400, "3 bytes"),
        ("POST", "decode", body(1.0, 2.0, 3.0), 400, "12 bytes"),
        ("POST", "decode", body(np.nan, 0.0), 400, "finite"),
        ("POST", "decode", body(np.inf, 0.0), 400, "finite"),
        ("POST", "decode", bytes(8 * 513), 413, "512"),
        ("POST", "encode", body(*[0.0] * 63), 400, "64 for each x"),
        ("POST", "encode", body(*[0.0] * 65), 413, "longer"),
        ("POST", "encode", body(*[0.0] * 63, np.nan), 400, "finite"),
        ("POST", "encode", body(*[0.0] * 63, 1.5), 400, "[0, 1]"),
        ("POST", "encode?seed=-1", body(*[0.0] * 64), 400, "seed"),
        ("GET", "example/200", None, 404, "from 0 to 199"),
        ("GET", "example/one", None, 404, "integer"),
        ("GET", "prior?num=0", None, 400, "num"),
        ("GET", "prior?num=65", None, 400, "from 1 to 64"),
        ("GET", "prior?seed=99999999999999999999", None, 400, "seed"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(client, method, path, content, status, words):
    response = client.request(method, f"/explore/api/{path}", content=content)
    assert response.status_code == status
    error = response.json()["error"]
    assert words in error
    assert ". Received: " in error or "such as" in error
    assert "\n" not in error


def test_a_decoder_that_overflows_is_no_server_error(client, explored, monkeypatch):
    monkeypatch.setattr(explored, "decode", lambda z, choice: np.full([len(z), 8, 8, 1], np.nan, np.float32))
    response = client.post("/explore/api/decode", content=body(0.0, 0.0))
    assert response.status_code == 422
    assert "not finite" in response.json()["error"]


def test_pages_of_other_sites_are_not_answered(client, explored, monkeypatch):
    """Nor is anything computed for them, in a form that browsers send without asking."""
    monkeypatch.setattr(explored, "decode", lambda z, choice: pytest.fail("it is computed"))
    foreign = {"origin": "http://evil.example", "content-type": "text/plain"}
    assert client.post("/explore/api/decode", content=body(0.0, 0.0), headers=foreign).status_code == 403
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    for path in ("/explore/api/example/7", "/explore/api/points", "/explore/explore.js"):
        assert client.get(path, headers=image).status_code == 403


def test_numbers_that_are_not_finite_are_null(explored, monkeypatch):
    """JSON has no NaN."""
    monkeypatch.setattr(explored, "_prior_mean", np.array([np.nan, np.inf]))
    page = TestClient(add_explore(FastAPI(), explored)).get("/explore/api/model")
    assert json.loads(page.text, parse_constant=pytest.fail)["prior"]["mean"] == [None, None]


def test_a_prior_without_moments_has_those_of_its_middle():
    """Cauchy: the median, and half of what holds as many draws as one deviation of a normal, tan(0.3413 pi)."""
    prior = tfp.distributions.Independent(tfp.distributions.Cauchy([0.0, 3.0], [1.0, 2.0]), 1)
    mean, stddev = prior_moments(prior)
    # Of 4,096 draws, five standard errors of a quantile: 5 sqrt(p (1 - p) / N) / density.
    np.testing.assert_allclose(mean, [0, 3], atol=0.25)
    np.testing.assert_allclose(stddev, np.tan(0.3413 * np.pi) * np.array([1, 2]), rtol=0.16)


def test_the_page_keeps_to_itself(client):
    page = client.get("/", follow_redirects=True)
    assert page.url.path == "/explore/"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in ("explore.js", "explore.css", "icon.svg"):
        found = client.get(f"/explore/{name}")
        assert found.status_code == 200
        assert found.headers["content-security-policy"] == policy
        assert "://" not in found.text.replace("http://www.w3.org/2000/svg", "")
    assert "://" not in page.text
    assert " style=" not in page.text
    for name in ("nothing.js", "..%2fapi.py", "%2e%2e/api.py", "__init__.py"):
        assert client.get(f"/explore/{name}").status_code == 404


def test_a_split_that_is_not_there(digits_run):
    with pytest.raises(ValueError, match=r"no 'validation' split\. Choose train or test"):
        explored_run(digits_run, split="validation")


def test_latents_that_are_no_vector_are_refused(digits):
    layers = tfvae.layers
    encoder = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(6), layers.OneHotCategorical(6, convert_to_tensor_fn="sample")]
    )
    decoder = keras.Sequential([keras.layers.Dense(64), layers.IndependentBernoulli((8, 8, 1))])
    vae = tfvae.models.VAE(
        encoder, decoder, prior=tfvae.priors.Fixed(tfp.distributions.OneHotCategorical(logits=[0.0] * 6))
    )
    with pytest.raises(ValueError, match="one vector of floating-point numbers"):
        ExploredModel(vae, digits.test, name="categories")


def test_how_pictures_become_x(digits):
    config = tfvae.training.RunConfig
    gray = {"data": {"name": "digits", "binarize": "none"}}
    assert ModelInput.of_run(config.from_dict(gray), digits.test) == ModelInput("range")
    normal = {**gray, "model": {"likelihood": "normal"}}
    assert ModelInput.of_run(config.from_dict(normal), digits.test) == ModelInput("levels", num_levels=17)
    assert ModelInput.of_run(config.from_dict({"data": {"binarize": "dynamic"}}), digits.test).kind == "binary"
    table = tfvae.data.Split(np.array([[-2.0, 3.0], [0.5, 1.0]], "float32"))
    assert ModelInput.of_run(config.from_dict(normal), table) == ModelInput("range", -2.0, 3.0)
    json.dumps(ModelInput("levels", num_levels=17).to_dict(), allow_nan=False)


def test_a_collapsed_model_says_so(explored, monkeypatch):
    assert not explored.describe()["has_collapsed"]
    nothing = np.zeros_like(explored._terms.loc)
    monkeypatch.setattr(explored, "_terms", explored._terms._replace(loc=nothing, kl=nothing[:, 0]))
    model = explored.describe()
    assert model["has_collapsed"]
    assert (model["kl"], model["active"], model["principal_plane"]) == (0.0, [False, False], None)


def test_columns_of_different_units_have_scales_of_their_own():
    x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
    assert Display.of(x).low.ndim == 0
    assert Display.of(np.repeat(x, 11, axis=1)).low.ndim == 0  # a line
    x[:, 1] += 2000
    x[:, 3] = 5
    display = Display.of(x)
    scales = np.stack([display.low, display.high], axis=1)
    np.testing.assert_allclose(scales[:3], np.stack([x.min(axis=0), x.max(axis=0)], axis=1)[:3])
    np.testing.assert_allclose(scales[3], [4, 6])


@pytest.mark.parametrize("shape", [(40, 5), (2, 3)])
def test_the_principal_plane_is_that_of_scikit_learn(shape):
    z = np.random.default_rng(0).normal(size=shape).astype("float32")
    plane, pca = principal_plane(z), PCA(2, svd_solver="full").fit(z.astype("float64"))
    np.testing.assert_allclose(plane["origin"], pca.mean_)
    np.testing.assert_allclose(plane["axes"], pca.components_, atol=1e-12)
    np.testing.assert_allclose(plane["explained"], pca.explained_variance_ratio_, atol=1e-12)


def test_a_plane_needs_two_dimensions_and_two_examples():
    assert principal_plane(np.ones([5, 3])) is None
    assert principal_plane(np.ones([5, 1])) is None
    assert principal_plane(np.ones([1, 5])) is None
    found = principal_plane(np.array([[0.0, 0, 1], [4, 0, 1], [0, 2, 1], [4, 2, 1]]))
    np.testing.assert_allclose(np.abs(found["axes"]), [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(found["explained"], [0.8, 0.2])
