"""LiteRT files against the live model, where they are made, and in a process with LiteRT and NumPy alone."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import small_vae

import tfvae

pytest.importorskip("ai_edge_quantizer", reason="needs the extra litert: pip install 'tfvae[litert]'")
from ai_edge_litert.interpreter import Interpreter

from tfvae.export.litert_files import _float32
from tfvae.export.litert_operations import with_accurate_operations

layers = keras.layers
PRECISIONS = ("float32", "float16", "int8")
# The most that values up to 2 are off by: in int8 a value beyond the range of the examples is cut off there.
MOST = {"float32": 1e-5, "float16": 5e-3, "int8": 0.25}


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(8).uniform(size=(400, 8, 8, 1)).astype("float32")


@pytest.fixture(scope="module")
def z():
    return np.random.default_rng(9).normal(size=(7, 3)).astype("float32")


@pytest.fixture(scope="module")
def converted(image_vae, x, tmp_path_factory):
    return tfvae.export.save_litert(image_vae, tmp_path_factory.mktemp("litert") / "image", x)


def answer(path, **inputs):
    return Interpreter(model_path=str(path)).get_signature_runner()(**inputs)


def expected(vae, x, z):
    q = vae.encode(x)
    return {
        "encoder": {"loc": q.mean().numpy(), "scale": q.stddev().numpy()},
        "decoder": {"mean": vae.decode(z).mean().numpy()},
    }


def largest_difference(actual, wanted):
    assert set(actual) == set(wanted)
    return max(float(np.abs(actual[name] - value).max()) for name, value in wanted.items())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_files_answer_as_the_model_does(converted, image_vae, x, z, precision, batch_size):
    x, z = x[:batch_size], z[:batch_size]
    wanted = expected(image_vae, x, z)
    for name, inputs in (("encoder", {"x": x}), ("decoder", {"z": z})):
        found = answer(converted.path / precision / f"{name}.tflite", **inputs)
        assert largest_difference(found, wanted[name]) < MOST[precision]
        assert all(value.dtype == np.float32 for value in found.values())


def test_deviations_are_those_of_half_of_the_data(converted, image_vae, x):
    assert converted.num_examples == 200
    wanted = expected(image_vae, x[1::2], np.zeros((1, 3), "float32"))["encoder"]
    found = {(d.precision, d.output): d for d in converted.deviations if "encoder" in d.file}
    assert set(found) == {(precision, output) for precision in PRECISIONS for output in ("loc", "scale")}
    for (precision, output), deviation in found.items():
        difference = np.abs(answer(converted.path / deviation.file, x=x[1::2])[output] - wanted[output])
        assert deviation.max_abs == pytest.approx(difference.max(), rel=0.2, abs=1e-6)
        assert deviation.mean_abs == pytest.approx(difference.mean(), rel=0.2, abs=1e-6)
        assert deviation.largest == pytest.approx(np.abs(wanted[output]).max(), rel=1e-4)
        assert deviation.max_abs < MOST[precision]
    means = {precision: found[precision, "loc"].mean_abs for precision in PRECISIONS}
    assert means["float32"] < means["float16"] < means["int8"]


def interpreter_of(function, shape):
    """Of a function of x in a module, as the converter gets it."""
    module = tf.Module()
    module.run = tf.function(lambda x: {"y": function(x)}, input_signature=[tf.TensorSpec(shape, tf.float32, "x")])
    network = SimpleNamespace(name="encoder", function=module.run, module=module)
    return Interpreter(model_content=_float32(network)).get_signature_runner()


@pytest.mark.parametrize("name", ["log1p", "expm1"])
def test_operations_are_right_for_small_and_for_large_numbers(name):
    function, both = getattr(tf.math, name), tf.Variable([1.0, 2.0])
    positive = np.geomspace(1e-30, 80, 300, dtype="float32")
    x = np.concatenate([-positive[positive < (0.99 if name == "log1p" else 20)], [0], positive]).astype("float32")
    found = interpreter_of(lambda x: function(x)[:, tf.newaxis] * both, [None])(x=x)["y"]
    np.testing.assert_allclose(found, function(x).numpy()[:, np.newaxis] * [1.0, 2.0], rtol=4e-6)


def test_other_functions_are_converted_unchanged():
    module = tf.Module()
    module.run = tf.function(lambda x: {"y": tf.exp(x)}, input_signature=[tf.TensorSpec([3], tf.float32)])
    function = module.run.get_concrete_function()
    assert with_accurate_operations(function, module) == (function, module)


def test_sticks(x, tmp_path):
    """The mean of their log-odds is an integral that needs small differences, and has a gradient of its own."""
    size = 3
    encoder = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2 * size)])
    encoder.add(tfvae.layers.KumaraswamySticks(size))
    decoder = [keras.Input((size,)), tfvae.layers.StickBreaking(), layers.Dense(64)]
    vae = tfvae.models.VAE(
        encoder,
        keras.Sequential([*decoder, tfvae.layers.IndependentBernoulli((8, 8, 1))]),
        tfvae.priors.StickBreaking(size),
    )
    converted = tfvae.export.save_litert(vae, tmp_path / "m", x, precisions=("float32", "int8"))
    found = {(d.precision, d.file.split("/")[1][:7]): d for d in converted.deviations}
    assert found["float32", "encoder"].max_abs < 1e-5
    assert found["float32", "decoder"].max_abs < 1e-5
    assert found["int8", "encoder"].mean_abs < 0.1 * found["int8", "encoder"].largest


def test_precisions_are_what_they_say(converted):
    for name in ("encoder", "decoder"):
        dtypes = {}
        for precision in PRECISIONS:
            details = Interpreter(model_path=str(converted.path / precision / f"{name}.tflite")).get_tensor_details()
            dtypes[precision] = {detail["dtype"] for detail in details}
        assert not {np.float16, np.int8} & dtypes["float32"]
        assert np.float16 in dtypes["float16"]
        assert np.int8 in dtypes["int8"]
        assert np.float16 not in dtypes["int8"]


def test_a_process_with_litert_and_numpy_alone(converted, image_vae, x, z, tmp_path):
    x = x[:5]
    np.save(converted.path / "x.npy", x)
    np.save(converted.path / "z.npy", z)
    script = Path(__file__).with_name("litert_process.py")
    command = [sys.executable, str(script), str(converted.path), str(tmp_path / "answers.npz")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    wanted = expected(image_vae, x, z)
    with np.load(tmp_path / "answers.npz") as answers:
        assert len(answers.files) == 9
        for key in answers.files:
            precision, name, output = key.split("/")
            assert np.abs(answers[key] - wanted[name][output]).max() < MOST[precision]


def test_scales_do_not_take_the_range_of_locs_in_int8(tmp_path):
    """One layer makes wide locs and narrow scales; TensorFlow's own quantizer clips the former to the latter."""
    vae = small_vae()
    kernel, bias = vae.encoder.layers[1].weights
    rng = np.random.default_rng(0)
    kernel.assign(np.concatenate([4 * rng.normal(size=(8, 2)), 0.1 * rng.normal(size=(8, 2))], axis=1))
    bias.assign(0 * bias)
    x = rng.uniform(size=(2000, 4, 2)).astype("float32")
    converted = tfvae.export.save_litert(vae, tmp_path / "m", x, precisions=["int8"])
    loc = next(found for found in converted.deviations if found.output == "loc")
    assert loc.largest > 8
    assert loc.mean_abs < 0.01 * loc.largest


@pytest.mark.slow
def test_the_shipped_model(tmp_path):
    """Its LiteRT files answer as its SavedModel does, on all digits."""
    folder = Path(__file__).parents[2] / "saved_models"
    spec = importlib.util.spec_from_file_location("make_saved_models", folder / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    served = tfvae.export.load(folder / "digits_vae" / "1")
    vae = make.make_vae((8, 8, 1))
    vae.build((None, 8, 8, 1))
    for variable, value in zip(vae.trainable_variables, served.model_variables, strict=True):
        variable.assign(value)
    digits = tfvae.data.load("digits")
    converted = tfvae.export.save_litert(vae, tmp_path / "digits", digits.train)
    for found in converted.deviations:
        assert found.mean_abs < {"float32": 1e-6, "float16": 2e-4, "int8": 0.015}[found.precision]
    x = np.concatenate([digits.train.x, digits.test.x])
    wanted = served.signatures["posterior"](x=tf.constant(x))
    found = answer(converted.path / "float32" / "encoder.tflite", x=x)
    assert largest_difference(found, {name: value.numpy() for name, value in wanted.items()}) < 1e-4
    mean = served.signatures["likelihood"](z=wanted["loc"])["mean"].numpy()
    found = answer(converted.path / "float32" / "decoder.tflite", z=wanted["loc"].numpy())
    assert largest_difference(found, {"mean": mean}) < 1e-4


@pytest.mark.parametrize("precisions", [(), "int8", ["int4"], ["int8", "int8"]])
def test_unknown_precisions(image_vae, x, tmp_path, precisions):
    with pytest.raises(
        ValueError, match=r"one or more of float32, float16, int8, without duplicates\. Received: precisions="
    ):
        tfvae.export.save_litert(image_vae, tmp_path / "m", x, precisions=precisions)


def diag(size=2):
    return tfvae.layers.MultivariateNormalDiag(size)


def sequential(*parts):
    return keras.Sequential(list(parts))


def low_rank():
    posterior = tfvae.layers.MultivariateNormalDiagPlusLowRank(2, 1)
    encoder = sequential(layers.Dense(posterior.parameters_size), posterior)
    return tfvae.models.VAE(encoder, normal_decoder()), (5,)


def recurrent(unroll=False):
    encoder = sequential(layers.LSTM(6, unroll=unroll), layers.Dense(4), diag())
    decoder = sequential(layers.Dense(7 * 3 * 2), tfvae.layers.IndependentNormal((7, 3)))
    return tfvae.models.VAE(encoder, decoder), (7, 3)


def drawing():
    decoder = sequential(layers.Dense(8), diag(4), layers.Dense(10), tfvae.layers.IndependentNormal((5,)))
    return tfvae.models.VAE(sequential(layers.Dense(4), diag()), decoder), (5,)


def normal_decoder():
    return sequential(layers.Dense(10), tfvae.layers.IndependentNormal((5,)))


def saved(made, path, **options):
    vae, event_shape = made
    vae.build((None, *event_shape))
    x = np.random.default_rng(0).uniform(0.1, 0.9, size=(100, *event_shape)).astype("float32")
    return tfvae.export.save_litert(vae, path, x, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (low_rank, r"cannot express the encoder.*it needs TensorFlow's MatrixDiagPartV3\. .*export\.save_onnx"),
        pytest.param(recurrent, r"cannot express the encoder.*TensorList.*unroll=True", marks=pytest.mark.slow),
        pytest.param(drawing, r"cannot express the decoder.*Stateless.*draws random", marks=pytest.mark.slow),
    ],
    ids=["low_rank", "recurrent", "drawing"],
)
def test_what_litert_cannot_express(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        saved(make(), tmp_path / "m")
    assert not list(tmp_path.iterdir())


LIKELIHOODS = (
    "DiscretizedLogistic",
    "IndependentBernoulli",
    "IndependentBeta",
    "IndependentContinuousBernoulli",
    "IndependentLaplace",
    "IndependentLogistic",
    "IndependentNegativeBinomial",
    "IndependentNormal",
    "IndependentPoisson",
    "IndependentStudentT",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods(tmp_path, name):
    keras.utils.set_random_seed(3)
    likelihood = getattr(tfvae.layers, name)((5,))
    decoder = sequential(layers.Dense(9, activation="tanh"), layers.Dense(likelihood.parameters_size), likelihood)
    vae = tfvae.models.VAE(sequential(layers.Dense(4), diag()), decoder)
    converted = saved((vae, (5,)), tmp_path / "m")
    for found in converted.deviations:
        assert found.mean_abs < {"float32": 1e-5, "float16": 1e-3, "int8": 0.03}[found.precision]


@pytest.mark.slow
def test_an_unrolled_recurrent_layer(tmp_path):
    saved(recurrent(unroll=True), tmp_path / "m")


@pytest.mark.slow
def test_the_same_model_gives_the_same_files(image_vae, x, converted, tmp_path):
    again = tfvae.export.save_litert(image_vae, tmp_path / "m", x)
    manifests = [tfvae.export.read_manifest(each.path) for each in (converted, again)]
    assert manifests[0]["files"] == manifests[1]["files"]
