"""Exported models with conditions, labels and missing values, against the live model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from steered_models import (
    NUM_CLASSES,
    SHAPE,
    conditional_vae,
    data,
    labelled_vae,
    stacked_vae,
    vae_with_holes,
    with_holes,
)

import tfvae
from tfvae._seeds import fold_in
from tfvae.export.signature_names import NAMES
from tfvae.export.signatures import Signatures

SEED = np.array([7, -1], np.int32)
X, C = data(), np.eye(NUM_CLASSES, dtype="float32")[[0, 2, 1, 1, 0]]
Z = np.random.default_rng(3).normal(size=(5, 2)).astype("float32")
CLASSES = np.array([0, 2, 1, 1, 0], np.int32)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def averaged(elbo, num_samples):
    return np.mean([elbo(fold_in(SEED, step)) for step in range(num_samples)], axis=0)


@pytest.fixture(scope="module")
def conditional():
    return conditional_vae()


@pytest.fixture(scope="module")
def labelled():
    return labelled_vae()


@pytest.fixture(scope="module")
def holes():
    return vae_with_holes()


@pytest.fixture(scope="module")
def functions(conditional, labelled, holes):
    """The functions themselves, without saving them: some, by model."""
    some = {"conditional": (conditional, ["likelihood", "sample"]), "holes": (holes, ["posterior"])}
    some["labelled"] = labelled, ["classify", "sample"]
    return {name: Signatures(vae, SHAPE, names).by_name() for name, (vae, names) in some.items()}


@pytest.fixture(scope="module")
def folders(conditional, labelled, holes, tmp_path_factory):
    root = tmp_path_factory.mktemp("steered")
    models = {"conditional": conditional, "labelled": labelled, "holes": holes}
    return {name: tfvae.export.save(vae, root / name / "1") for name, vae in models.items()}


@pytest.fixture(params=["functions", pytest.param("folders", marks=pytest.mark.slow)])
def ask(request):
    """Asks a function, or a process with TensorFlow alone."""
    found = request.getfixturevalue(request.param)
    if request.param == "folders":
        return request.getfixturevalue("ask_saved")

    def call(model, signature, **inputs):
        answer = found[model][signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in answer.items()}

    return call


@pytest.fixture
def ask_saved(server, folders):
    """Asks the process with TensorFlow alone: for tests that are slow."""
    return lambda model, signature, how="call", **inputs: server(how, folders[model], signature, **inputs)


class TestConditions:
    @pytest.mark.slow
    def test_encode_and_reconstruct(self, ask_saved, conditional):
        q = conditional.encode(X, condition=C)
        answer = ask_saved("conditional", "encode", x=X, condition=C, seed=SEED)
        close(answer["loc"], q.mean())
        close(answer["z"], q.sample(seed=SEED))
        answer = ask_saved("conditional", "reconstruct", x=X, condition=C, seed=SEED)
        close(answer["mean"], conditional.reconstruct(X, condition=C, seed=SEED))

    def test_one_condition_serves_all_examples(self, ask, conditional):
        wanted = conditional.decode(Z, condition=[2] * 5).mean()
        close(ask("conditional", "likelihood", z=Z, condition=C[1:2])["mean"], wanted)
        close(ask("conditional", "likelihood", z=Z, condition=C)["mean"], conditional.decode(Z, condition=C).mean())
        with pytest.raises(Exception, match=r"one condition for all, or one for each\. Received:\] \[2\]"):
            ask("conditional", "likelihood", z=Z, condition=C[:2])

    @pytest.mark.slow
    def test_decode(self, ask_saved, conditional):
        p, answer = conditional.decode(Z, condition=C), ask_saved("conditional", "decode", z=Z, condition=C, seed=SEED)
        close(answer["mean"], p.mean())
        np.testing.assert_array_equal(answer["sample"], p.sample(seed=SEED))

    @pytest.mark.parametrize("condition", [C, C[2:3]])
    def test_sample(self, ask, conditional, condition):
        answer = ask("conditional", "sample", num_samples=5, condition=condition, seed=SEED)
        wanted = conditional.sample(5, condition=condition if len(condition) > 1 else condition[0], seed=SEED)
        np.testing.assert_array_equal(answer["sample"], wanted)

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["call", "session"])
    def test_bounds_are_those_of_p_of_x_given_the_condition(self, ask_saved, conditional, how):
        answer = ask_saved("conditional", "elbo", how, x=X, condition=C, num_samples=3, seed=SEED)
        close(answer["elbo"], averaged(lambda seed: conditional.elbo(X, condition=C, seed=seed), 3))
        answer = ask_saved("conditional", "log_marginal", how, x=X, condition=C, num_samples=60, seed=SEED)
        wanted = tfvae.evaluation.log_marginal(
            conditional, {"x": X, "condition": C}, num_importance_samples=60, seed=SEED
        )
        close(answer["log_marginal"], wanted.per_example)

    @pytest.mark.slow
    def test_means_are_served_by_default(self, ask_saved, conditional):
        loc = ask_saved("conditional", "posterior", x=X, condition=C)["loc"]
        close(loc, conditional.encode(X, condition=C).mean())
        answer = ask_saved("conditional", "serving_default", x=X, condition=C)
        close(answer["mean"], conditional.decode(loc, condition=C).mean())

    @pytest.mark.slow
    @pytest.mark.parametrize("condition", [C[:, :2], C[:, :1], C[0], C[..., np.newaxis]])
    def test_another_shape(self, server, folders, condition):
        """TensorFlow does not check the shapes of a signature, and would broadcast one number to three."""
        found = r"\] \[" + r"\s".join(map(str, condition.shape)) + r"\]"
        with pytest.raises(RuntimeError, match=r"condition must have shape \[B, 3\]\. Received: shape" + found):
            server("call", folders["conditional"], "likelihood", z=Z, condition=condition)

    @pytest.mark.slow
    def test_indices_of_classes_are_not_conditions(self, server, folders):
        with pytest.raises(RuntimeError, match="float"):
            server("call", folders["conditional"], "likelihood", z=Z, condition=CLASSES)


class TestLabels:
    def test_classify(self, ask, labelled):
        answer, probs = ask("labelled", "classify", x=X), labelled.classify(X)
        close(answer["probs"], probs)
        assert answer["label"].dtype == np.int32
        np.testing.assert_array_equal(answer["label"], np.argmax(probs, axis=1))

    @pytest.mark.parametrize("label", [CLASSES, CLASSES[1:2]])
    def test_sample_by_label(self, ask, labelled, label):
        answer = ask("labelled", "sample", num_samples=5, label=label, seed=SEED)
        wanted = labelled.sample(5, label=label if len(label) > 1 else label[0], seed=SEED)
        np.testing.assert_array_equal(answer["sample"], wanted)

    def test_a_label_that_is_drawn(self, ask, labelled):
        answer = ask("labelled", "sample", num_samples=5, label=np.array([-1], np.int32), seed=SEED)
        np.testing.assert_array_equal(answer["sample"], labelled.sample(5, seed=SEED))
        mixed = ask("labelled", "sample", num_samples=5, label=np.array([-1, 1, -1, 2, -1], np.int32), seed=SEED)
        np.testing.assert_array_equal(mixed["mean"][::2], answer["mean"][::2])

    @pytest.mark.parametrize("label", [[3], [-2], [0, 1, 2, 3, 0]])
    def test_an_unknown_label(self, ask, label):
        message = r"label must be an integer from 0 to 2, or -1 for a label that is drawn\. Received:\]"
        with pytest.raises(Exception, match=message):
            ask("labelled", "sample", num_samples=5, label=np.array(label, np.int32), seed=SEED)

    def test_labels_of_another_number(self, ask):
        with pytest.raises(Exception, match=r"one label for all, or one for each\. Received:\] \[2\] \[for\] \[5\]"):
            ask("labelled", "sample", num_samples=5, label=CLASSES[:2], seed=SEED)

    @pytest.mark.slow
    def test_the_most_probable_label_is_served_by_default(self, ask_saved, labelled):
        y = np.eye(NUM_CLASSES, dtype="float32")[np.argmax(labelled.classify(X), axis=1)]
        of_q, _ = labelled.encode(X).sample_distributions(value={"y": y})
        wanted = labelled.decode({"y": y, "z": of_q["z"].mean()}).mean()
        close(ask_saved("labelled", "serving_default", x=X)["mean"], wanted)

    @pytest.mark.slow
    def test_the_style_of_any_label(self, ask_saved, labelled):
        of_q, _ = labelled.encode(X).sample_distributions(value={"y": C})
        answer = ask_saved("labelled", "posterior", x=X, y=C)
        close(answer["loc"], of_q["z"].mean())
        close(answer["scale"], of_q["z"].stddev())
        answer = ask_saved("labelled", "likelihood", y=C, z=Z)
        close(answer["mean"], labelled.decode({"y": C, "z": Z}).mean())

    @pytest.mark.slow
    def test_bounds(self, ask_saved, labelled):
        answer = ask_saved("labelled", "log_marginal", x=X, num_samples=60, seed=SEED)
        wanted = tfvae.evaluation.log_marginal(labelled, X, num_importance_samples=60, seed=SEED)
        close(answer["log_marginal"], wanted.per_example)
        answer = ask_saved("labelled", "elbo", x=X, num_samples=2, seed=SEED)
        close(answer["elbo"], averaged(lambda seed: labelled.elbo(X, seed=seed), 2))

    @pytest.mark.slow
    def test_under_xla_an_unknown_label_has_no_result(self, functions):
        """XLA drops checks."""
        sample = tf.function(functions["labelled"]["sample"], jit_compile=True)
        mean = sample(num_samples=2, label=tf.constant([1, 3]), seed=tf.constant(SEED))["mean"]
        assert np.isfinite(mean[0]).all()
        assert np.isnan(mean[1]).all()


class TestMissingValues:
    def test_nan_is_a_missing_value(self, ask, holes):
        x = with_holes(X)
        answer = ask("holes", "posterior", x=x)
        close(answer["loc"], holes.encode(x).mean())
        filled = ask("holes", "posterior", x=np.nan_to_num(x))
        assert np.abs(filled["loc"] - answer["loc"]).max() > 0.1, "the encoder sees where values are missing"

    @pytest.mark.slow
    def test_bounds_are_those_of_the_observed_values(self, ask_saved, holes):
        x = with_holes(X)
        answer = ask_saved("holes", "log_marginal", x=x, num_samples=60, seed=SEED)
        wanted = tfvae.evaluation.log_marginal(holes, x, num_importance_samples=60, seed=SEED)
        close(answer["log_marginal"], wanted.per_example)
        close(ask_saved("holes", "elbo", x=x, num_samples=1, seed=SEED)["elbo"], holes.elbo(x, seed=fold_in(SEED, 0)))


@pytest.mark.slow
class TestFolders:
    def test_the_manifest(self, folders):
        manifests = {name: tfvae.export.read_manifest(folder) for name, folder in folders.items()}
        assert manifests["conditional"]["condition_shape"] == [NUM_CLASSES]
        assert manifests["labelled"]["labels"] == {"part": "y", "num_classes": NUM_CLASSES}
        assert manifests["holes"]["missing"] == "nan"
        kinds = ("condition_shape", "labels", "missing")
        assert [sum(kind in manifest for kind in kinds) for manifest in manifests.values()] == [1, 1, 1]
        signatures = manifests["conditional"]["signatures"]
        assert set(signatures) == {*NAMES} - {"classify"}
        assert all(inputs["inputs"]["condition"] == [None, NUM_CLASSES] for inputs in signatures.values())
        assert set(manifests["labelled"]["signatures"]) == {*NAMES}
        assert manifests["labelled"]["signatures"]["sample"]["inputs"]["label"] == [None]

    @pytest.mark.parametrize("name", ["conditional", "labelled", "holes"])
    def test_warm_up_requests_are_answered(self, folders, name):
        from tensorflow_serving.apis import prediction_log_pb2

        model, seen = tfvae.export.load(folders[name]), set()
        path = folders[name] / "assets.extra" / "tf_serving_warmup_requests"
        for log in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(log).predict_log.request
            inputs = {key: tf.constant(tf.make_ndarray(tensor)) for key, tensor in request.inputs.items()}
            answer = model.signatures[request.model_spec.signature_name](**inputs)
            assert all(np.isfinite(value).all() for value in answer.values())
            seen.add(request.model_spec.signature_name)
        assert seen == set(model.signatures)

    def test_tensorflows_command_line(self, folders, labelled, conditional, tmp_path):
        executable = Path(sys.executable).with_name("saved_model_cli")
        runs = {
            "labelled": "num_samples=3;label=[2];seed=[3,4]",
            "conditional": "num_samples=3;condition=[[0.0,1.0,0.0]];seed=[3,4]",
        }
        for name, inputs in runs.items():
            command = [executable, "run", "--dir", folders[name], "--tag_set", "serve", "--signature_def", "sample"]
            command += ["--input_exprs", inputs, "--outdir", tmp_path / name]
            (tmp_path / name).mkdir()
            subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=120)
        found = {name: np.load(tmp_path / name / "sample.npy") for name in runs}
        np.testing.assert_array_equal(found["labelled"], labelled.sample(3, label=2, seed=[3, 4]))
        np.testing.assert_array_equal(found["conditional"], conditional.sample(3, condition=1, seed=[3, 4]))


@pytest.mark.slow
def test_conditions_that_are_images():
    vae = conditional_vae((2, 2))
    sample = Signatures(vae, SHAPE, ["sample"]).by_name()["sample"]
    condition = np.random.default_rng(0).normal(size=(3, 2, 2)).astype("float32")
    answer = sample(num_samples=3, condition=tf.constant(condition), seed=tf.constant(SEED))
    np.testing.assert_array_equal(answer["sample"], vae.sample(3, condition=condition, seed=SEED))


@pytest.mark.slow
def test_a_stacked_model():
    """Its latents are a label and two more parts."""
    vae = stacked_vae()
    functions = Signatures(vae, SHAPE, ["sample", "classify", "posterior", "serving_default"]).by_name()
    assert set(functions) == {"sample", "classify", "serving_default"}
    for label, given in ((1, {"label": 1}), (-1, {})):
        answer = functions["sample"](tf.constant(4), tf.constant([label]), tf.constant(SEED))
        np.testing.assert_array_equal(answer["sample"], vae.sample(4, seed=SEED, **given))
    close(functions["classify"](X)["probs"], vae.classify(X))
    q, y = vae.encode(X), np.eye(NUM_CLASSES, dtype="float32")[np.argmax(vae.classify(X), axis=1)]
    z = {"y": y, "z1": q.sample_distributions(value={"y": y})[0]["z1"].mean()}
    z["z2"] = q.sample_distributions(value=z)[0]["z2"].mean()
    close(functions["serving_default"](X)["mean"], vae.decode(z).mean())
