"""The page of models with a condition or a label, which somebody chooses besides z."""

import dataclasses

import keras
import numpy as np
import pytest
from explore_server import make_run, serving
from explore_visitor import png, visit
from fastapi import FastAPI
from fastapi.testclient import TestClient
from steered_models import NUM_CLASSES, SHAPE, conditional_vae, data, labelled_vae, stacked_vae, vae_with_holes

import tfvae
from tfvae import layers, priors
from tfvae.data import Split
from tfvae.serving.explore import ExploredModel, add_explore, explored_run
from tfvae.serving.explore.choices import Choices
from tfvae.serving.explore.prior_moments import prior_moments
from tfvae.training.saved_run import load_run

EYE = np.eye(NUM_CLASSES, dtype="float32")
LABELS = np.arange(12) % NUM_CLASSES
X = data(12)
NAMES = ("red", "green", "blue")


class TestChoices:
    def test_one_hot_conditions_are_classes(self):
        split = Split(X, condition=EYE[LABELS], condition_names=NAMES)
        choices = Choices.of_condition(split, (3,))
        assert choices.describe() == {"kind": "condition", "names": list(NAMES), "shape": [3], "default": 0}
        np.testing.assert_array_equal(choices.read("2"), EYE[2])
        np.testing.assert_array_equal(choices.read(None), EYE[0])
        np.testing.assert_array_equal(np.frombuffer(choices.to_bytes(), "<i4"), LABELS)
        for text in ("3", "-1", "1_0", "", "9" * 11, "red"):
            with pytest.raises(ValueError, match=rf"integer from 0 to 2\. Received: choice='{text}'"):
                choices.read(text)

    def test_other_short_vectors_are_numbers(self):
        condition = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
        choices = Choices.of_condition(Split(X, condition=condition), (3,))
        assert (choices.kind, choices.names) == ("numbers", ("c1", "c2", "c3"))
        np.testing.assert_allclose(choices.read(None), condition.mean(axis=0), rtol=1e-6)
        np.testing.assert_array_equal(choices.read("0.5,-1e1,2"), np.float32([0.5, -10, 2]))
        np.testing.assert_array_equal(np.frombuffer(choices.to_bytes(), "<f4").reshape(12, 3), condition)
        for text in ("1,2", "1,2,x", "1,2,nan", "1,2,3,4", ""):
            with pytest.raises(ValueError, match=rf"3 finite numbers, .*Received: choice='{text}'"):
                choices.read(text)

    @pytest.mark.parametrize("shape", [(2, 2), (13,)])
    def test_others_are_those_of_examples(self, shape):
        condition = np.random.default_rng(0).normal(size=(12, *shape)).astype("float32")
        choices = Choices.of_condition(Split(X, condition=condition), shape)
        assert (choices.kind, choices.default()) == ("example", 0)
        np.testing.assert_array_equal(choices.read("11"), condition[11])
        with pytest.raises(ValueError, match="from 0 to 11"):
            choices.read("12")

    def test_unknown_labels_are_the_most_probable_ones(self):
        probs = np.full((12, 3), 0.2)
        probs[:, 1] = 0.6
        labels = np.where(LABELS == 0, -1, LABELS)
        choices = Choices.of_labels(Split(X, labels=labels), probs)
        assert (choices.kind, choices.names) == ("label", ("0", "1", "2"))
        np.testing.assert_array_equal(choices.of_examples.argmax(axis=1), np.where(LABELS == 0, 1, LABELS))

    def test_examples_need_conditions(self):
        with pytest.raises(ValueError, match=r"need conditions of shape \(N, 3\).*Received: Split"):
            Choices.of_condition(Split(X), (3,))


def test_moments_of_a_conditional_prior_are_those_of_its_mixture():
    prior = tfvae.layers.MultivariateNormalDiag(2)(np.float32([[0, 1, 0, 0], [4, 1, 0, 0]]))
    mean, stddev = prior_moments(prior)
    scale = np.asarray(prior.stddev())[0, 0]
    np.testing.assert_allclose(mean, [2, 1], rtol=1e-6)
    np.testing.assert_allclose(stddev, [np.sqrt(scale**2 + 4), scale], rtol=1e-5)


def body(values):
    return np.asarray(values, "<f4").tobytes()


def floats(answer):
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, "<f4")


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


Z = np.random.default_rng(4).normal(size=(3, 2)).astype("float32")


@pytest.mark.slow
def test_a_conditional_model_is_asked_with_a_choice():
    vae = conditional_vae()
    split = Split(X, labels=LABELS, condition=EYE[LABELS], condition_names=NAMES)
    client = TestClient(add_explore(FastAPI(), ExploredModel(vae, split, name="c")))
    found = floats(client.post("/explore/api/decode?choice=1", content=body(Z))).reshape(3, *SHAPE)
    close(found, vae.decode(Z, condition=[1, 1, 1]).mean())
    content = client.get("/explore/api/points").content
    close(np.frombuffer(content[: 4 * 24], "<f4").reshape(12, 2), vae.encode(X, condition=LABELS).mean())
    np.testing.assert_array_equal(np.frombuffer(content[4 * 36 :], "<i4"), LABELS)
    loc = vae.encode(X[4:5], condition=1).mean()
    close(floats(client.get("/explore/api/example/4")).reshape(2, *SHAPE)[1], vae.decode(loc, condition=1).mean()[0])
    answer = client.post("/explore/api/encode?choice=2", content=body(X[4])).json()
    close(answer["elbo"], vae.elbo(X[4:5], condition=2, num_samples=64, seed=0)[0])
    close(answer["loc"], vae.encode(X[4:5], condition=2).mean()[0])
    answer = client.post("/explore/api/log_marginal?choice=2", content=body(X[4])).json()
    given = {"x": X[4:5], "condition": [2]}
    wanted = tfvae.evaluation.log_marginal(vae, given, num_importance_samples=500, seed=0)
    close(answer["log_marginal"], wanted.per_example[0])
    found = floats(client.get("/explore/api/prior?num=4&seed=3&choice=2"))
    close(found[:8].reshape(4, 2), vae.ancestral_sample(4, condition=2, seed=3).z)
    close(found[8:].reshape(4, *SHAPE), vae.decode(found[:8].reshape(4, 2), condition=[2] * 4).mean())
    for path in ("decode", "encode"):
        answer = client.post(f"/explore/api/{path}?choice=3", content=body(Z if path == "decode" else X[0]))
        assert answer.status_code == 400
        assert answer.json()["error"] == "`choice` must be an integer from 0 to 2. Received: choice='3'"
    assert client.get("/explore/api/prior?choice=x").status_code == 400


@pytest.mark.slow
def test_a_model_with_labels_is_asked_with_a_label():
    vae = labelled_vae()
    labels = np.where(LABELS == 0, -1, LABELS)
    explored = ExploredModel(vae, Split(X, labels=labels, class_names=NAMES), name="m2")
    model = explored.describe()
    assert [found["label"] for found in model["classes"]] == ["green", "blue"]
    assert (model["latent_size"], model["choice"]["kind"]) == (2, "label")
    close(explored.decode(Z, "1"), vae.decode({"y": EYE[[1, 1, 1]], "z": Z}).mean())
    found = explored.encode(X[3])
    probs = vae.classify(X[3:4]).numpy()[0]
    close(found.probs, probs)
    of_q, _ = vae.encode(X[3:4]).sample_distributions(value={"y": EYE[[probs.argmax()]]})
    close(found.loc, of_q["z"].mean()[0])
    close(found.elbo, vae.elbo(X[3:4], num_samples=64, seed=0)[0])
    wanted = tfvae.evaluation.log_marginal(vae, X[3:4], num_importance_samples=500, seed=0)
    close(explored.log_marginal(X[3]), wanted.per_example[0])
    z, means = explored.draw(4, 3, "2")
    close(means, vae.decode({"y": EYE[[2] * 4], "z": z}).mean())
    # Each example has its own label if it is known, else the most probable one.
    y = np.where(labels < 0, vae.classify(X).numpy().argmax(axis=1), labels)
    of_q, _ = vae.encode(X).sample_distributions(value={"y": EYE[y]})
    close(np.frombuffer(explored.points()[: 4 * 24], "<f4").reshape(12, 2), of_q["z"].mean())


@pytest.mark.slow
def test_the_page_of_a_stacked_model_shows_its_style():
    """z2 of p(y) p(z2) p(z1|y, z2), with z1 at its mean."""
    vae = stacked_vae()
    explored = ExploredModel(vae, Split(X, labels=LABELS), name="stacked")
    assert explored.latent_size == 2
    given = {"y": EYE[[1] * 3], "z2": Z}
    z1 = vae.prior.distribution().sample_distributions(value=given)[0]["z1"].mean()
    close(explored.decode(Z, "1"), vae.decode({**given, "z1": z1}).mean())
    q, y = vae.encode(X), EYE[LABELS]
    z1 = q.sample_distributions(value={"y": y})[0]["z1"].mean()
    loc = q.sample_distributions(value={"y": y, "z1": z1})[0]["z2"].mean()
    close(np.frombuffer(explored.points()[: 4 * 24], "<f4").reshape(12, 2), loc)


@pytest.mark.slow
def test_examples_with_missing_values():
    vae, mask = vae_with_holes(), np.random.default_rng(1).random(X.shape) < 0.5
    explored = ExploredModel(vae, Split(X, observed=mask), name="holes")
    loc = vae.encode(np.where(mask, X, np.nan)).mean()
    close(np.frombuffer(explored.points()[: 4 * 24], "<f4").reshape(12, 2), loc)
    np.testing.assert_array_equal(explored.example(3)[0], np.where(mask, X, 0)[3])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"data": {"name": "digits", "condition": "label"}, "model": {"latent_size": 2, "hidden": (8,)}}, "condition"),
        ({"data": {"name": "digits"}, "model": {"kind": "m2", "latent_size": 2, "hidden": (8,)}}, "label"),
    ],
)
def test_a_run_has_its_conditions_and_labels(tmp_path, settings, kind):
    run = load_run(make_run(tmp_path / "run", settings))
    explored = explored_run(run, num_examples=20)
    labels = tfvae.data.load("digits").test.labels[:20]
    choices = explored.describe()["choice"]
    assert (choices["kind"], choices["names"]) == (kind, list("0123456789"))
    np.testing.assert_array_equal(explored.choices.of_examples.argmax(axis=1), labels)
    vae, y = run.vae, np.eye(10, dtype="float32")[[3]]
    given = {"condition": [3]} if kind == "condition" else {}
    z = Z[:1] if kind == "condition" else {"y": y, "z": Z[:1]}
    close(explored.decode(Z[:1], "3"), vae.decode(z, **given).mean())


# In the browser ----------------------------------------------------------------------------------------------------

DIGITS, WORDS = (8, 8, 1), tuple("zero one two three four five six seven eight nine".split())


def digits(count=60):
    return tfvae.data.load("digits").test.take(count).thresholded()


def joined(shapes, *last):
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    found = keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in inputs.values()])
    for layer in last:
        found = layer(found)
    return keras.Model(inputs, found)


def with_random_weights(vae):
    rng = np.random.default_rng(3)
    for variable in vae.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.assign_add(0.3 * rng.normal(size=variable.shape))
    return vae


def conditional_on(shape):
    dense, normal = keras.layers.Dense, layers.MultivariateNormalDiag
    encoder = joined({"x": DIGITS, "condition": shape}, dense(4), normal(2))
    decoder = joined({"z": (2,), "condition": shape}, dense(64), layers.IndependentBernoulli(DIGITS))
    return with_random_weights(tfvae.models.VAE(encoder, decoder, seed=0))


@pytest.fixture(scope="module")
def m2():
    dense = keras.layers.Dense
    parts = {
        "y": keras.Sequential([dense(10), layers.OneHotCategorical(10)]),
        "z": keras.Sequential([dense(4), layers.MultivariateNormalDiag(2)]),
    }
    encoder = keras.Sequential([keras.Input(DIGITS), keras.layers.Flatten(), layers.Joint(parts)])
    decoder = joined({"y": (10,), "z": (2,)}, dense(64), layers.IndependentBernoulli(DIGITS))
    prior = priors.Joint({"y": priors.Categorical(10), "z": priors.StandardNormal(2)})
    return with_random_weights(tfvae.models.VAE(encoder, decoder, prior, tfvae.estimators.Enumerated(), seed=0))


@pytest.mark.slow
class TestThePage:
    def test_a_label_is_chosen(self, browser, m2):
        split = dataclasses.replace(digits(), class_names=WORDS)
        with serving(ExploredModel(m2, split, name="m2")) as address, visit(browser, address) as visitor:
            page = visitor.page

            def mean(label):
                y = np.eye(10, dtype="float32")[[label]]
                return m2.decode({"y": y, "z": visitor.decoded[-1][np.newaxis]}).mean().numpy()[0]

            choice = page.locator("#choice select")
            assert page.locator("#choice").inner_text().startswith("Label")
            assert choice.locator("option").all_inner_texts() == list(WORDS)
            assert page.locator("#legend button").first.inner_text() == "zero"
            assert visitor.settles_on("#decoded", lambda: mean(0))
            samples = visitor.pixels("#samples .frame:first-child canvas")
            choice.select_option("seven")
            assert visitor.settles_on("#decoded", lambda: mean(7))
            visitor.until(lambda: (visitor.pixels("#samples .frame:first-child canvas") != samples).any())
            assert (visitor.pixels("#samples .frame:first-child canvas") != samples).any()
            visitor.until(lambda: "Label seven" in visitor.status())
            assert "Label seven" in visitor.status()
            # Enter goes to the nearest example, with its own label.
            page.locator("#map").focus()
            page.keyboard.press("Enter")
            number = lambda: int(page.locator("#nearest-name").inner_text().split("no. ")[1])  # noqa: E731
            visitor.until(lambda: choice.input_value() == str(split.labels[number()]))
            assert choice.input_value() == str(split.labels[number()])
            assert visitor.settles_on("#decoded", lambda: mean(split.labels[number()]))
            assert (visitor.pixels("#decoded") == visitor.pixels("#reconstruction")).all()
            # An image from outside has the most probable label.
            probs = m2.classify(split.x[5:6]).numpy()[0]
            image = {"name": "a.png", "mimeType": "image/png", "buffer": png((255 * split.x[5]).astype(np.uint8))}
            page.locator("#file").set_input_files(image)
            says = f"{WORDS[probs.argmax()]} ({round(100 * probs.max())}%)."
            visitor.until(lambda: page.locator("#verdict").inner_text().startswith(says))
            assert page.locator("#verdict").inner_text().startswith(says)
            assert choice.input_value() == str(probs.argmax())
            wanted = tfvae.evaluation.log_marginal(m2, split.x[5:6], num_importance_samples=500, seed=0)
            says = f"log p(x) about {wanted.per_example[0]:.2f}".replace("-", "−")
            visitor.until(lambda: page.locator("#log-marginal").inner_text() == says)
            assert page.locator("#log-marginal").inner_text() == says

    def test_a_class_is_chosen(self, browser):
        split = digits()
        condition = np.eye(10, dtype="float32")[split.labels]
        vae = conditional_on((10,))
        explored = ExploredModel(vae, dataclasses.replace(split, condition=condition), name="classes")
        with serving(explored) as address, visit(browser, address) as visitor:
            page = visitor.page
            assert page.locator("#choice").inner_text().startswith("Condition")
            page.locator("#choice select").select_option("4")
            page.locator("#sliders input").nth(0).fill("1.5")
            z = [[1.5, visitor.z()[1]]]
            visitor.until(lambda: abs(visitor.decoded[-1][0] - 1.5) < 1e-5)
            assert visitor.settles_on(
                "#decoded", lambda: vae.decode(visitor.decoded[-1][np.newaxis], condition=[4]).mean().numpy()[0]
            )
            assert np.abs(visitor.decoded[-1] - z).max() < 0.01
            visitor.until(lambda: (visitor.last_asked(7)[:, 1] == visitor.decoded[-1][1]).all())
            frame = lambda: vae.decode(visitor.last_asked(7)[:1], condition=[4]).mean().numpy()[0]  # noqa: E731
            assert visitor.settles_on("#sweep-film .frame:first-child canvas", frame)

    def test_numbers_have_fields(self, browser):
        split = digits()
        condition = split.x.mean(axis=(1, 3))[:, :3]
        vae = conditional_on((3,))
        explored = ExploredModel(vae, dataclasses.replace(split, condition=condition), name="numbers")
        with serving(explored) as address, visit(browser, address) as visitor:
            page, fields = visitor.page, visitor.page.locator("#choice input")
            assert fields.count() == 3
            given = lambda: np.array([float(fields.nth(i).input_value()) for i in range(3)])  # noqa: E731
            np.testing.assert_allclose(given(), condition.mean(axis=0), rtol=1e-3)
            for i, value in enumerate(("0.5", "", "-1.25")):
                fields.nth(i).fill(value)
            fields.nth(1).fill("2")
            mean = lambda: vae.decode(  # noqa: E731
                visitor.decoded[-1][np.newaxis], condition=np.float32([[0.5, 2, -1.25]])
            ).mean()
            assert visitor.settles_on("#decoded", lambda: mean().numpy()[0])
            page.locator("#map").focus()
            page.keyboard.press("Enter")
            number = lambda: int(page.locator("#nearest-name").inner_text().split("no. ")[1])  # noqa: E731
            visitor.until(lambda: np.allclose(given(), condition[number()], rtol=1e-3))
            np.testing.assert_allclose(given(), condition[number()], rtol=1e-3)

    def test_an_image_is_one_sentence(self, browser):
        split = digits()
        condition = split.x * (np.arange(8)[:, np.newaxis, np.newaxis] < 3)
        vae = conditional_on(DIGITS)
        explored = ExploredModel(vae, dataclasses.replace(split, condition=condition), name="image")
        with serving(explored) as address, visit(browser, address) as visitor:
            says = visitor.page.locator("#choice")
            assert "shape 8 × 8 × 1 and cannot be edited here: it is that of example no. 0." in says.inner_text()
            mean = lambda: vae.decode(visitor.decoded[-1][np.newaxis], condition=condition[:1]).mean()  # noqa: E731
            assert visitor.settles_on("#decoded", lambda: mean().numpy()[0])
