"""ONNX files against the live model, by onnxruntime."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.export.onnx_operations import HANDLERS

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx: pip install 'tfvae[onnx]'")
tf2onnx = pytest.importorskip("tf2onnx", reason="needs the extra onnx: pip install 'tfvae[onnx]'")

layers = keras.layers


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(8).uniform(size=(60, 8, 8, 1)).astype("float32")


@pytest.fixture(scope="module")
def converted(image_vae, x, tmp_path_factory):
    return tfvae.export.save_onnx(image_vae, tmp_path_factory.mktemp("onnx") / "image", x)


def session_of(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def answer(session, x):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: x}), strict=True))


@pytest.mark.parametrize("batch_size", [1, 7])
def test_files_answer_as_the_model_does(converted, image_vae, x, batch_size):
    x, z = x[:batch_size], np.random.default_rng(9).normal(size=(batch_size, 3)).astype("float32")
    q, p = image_vae.encode(x), image_vae.decode(z)
    encoded = answer(session_of(converted.path / "encoder.onnx"), x)
    assert set(encoded) == {"loc", "scale"}
    np.testing.assert_allclose(encoded["loc"], q.mean(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(encoded["scale"], q.stddev(), rtol=0, atol=1e-5)
    decoded = answer(session_of(converted.path / "decoder.onnx"), z)
    assert set(decoded) == {"mean"}
    np.testing.assert_allclose(decoded["mean"], p.mean(), rtol=0, atol=1e-5)


def test_inputs_and_outputs_have_names_and_a_free_batch(converted):
    for name, inputs, outputs in (
        ("encoder", {"x": ["batch", 8, 8, 1]}, {"loc": ["batch", 3], "scale": ["batch", 3]}),
        ("decoder", {"z": ["batch", 3]}, {"mean": ["batch", 8, 8, 1]}),
    ):
        session = session_of(converted.path / f"{name}.onnx")
        assert {tensor.name: tensor.shape for tensor in session.get_inputs()} == inputs
        assert {tensor.name: tensor.shape for tensor in session.get_outputs()} == outputs


def test_deviations(converted):
    assert converted.num_examples == 30
    assert [(found.file, found.output) for found in converted.deviations] == [
        *(("encoder.onnx", "loc"), ("encoder.onnx", "scale"), ("decoder.onnx", "mean"))
    ]
    for found in converted.deviations:
        assert 0 <= found.mean_abs <= found.max_abs < 1e-5
        assert 0.1 < found.largest < 10


def converted_function(function, *shapes):
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
    model, _ = tf2onnx.convert.from_function(
        traced, input_signature=traced.input_signature, opset=18, custom_op_handlers=dict(HANDLERS)
    )
    return session_of(model.SerializeToString())


@pytest.mark.parametrize("name", ["log1p", "expm1", "erfc"])
def test_operations_are_right_for_small_and_for_large_numbers(name):
    function = getattr(tf.math, name)
    session = converted_function(lambda x: {"y": function(x)}, [None])
    positive = np.geomspace(1e-30, 80, 300, dtype="float32")
    x = np.concatenate([-positive[positive < (0.99 if name == "log1p" else 20)], [0], positive]).astype("float32")
    actual, wanted = answer(session, x)["y"], function(tf.constant(x)).numpy()
    # erfc is one minus erf, right to the bits of one.
    np.testing.assert_allclose(actual, wanted, rtol=2e-6, atol=3e-7 if name == "erfc" else 0)


@pytest.mark.parametrize("shapes", [((3, 5), (3, 5)), ((3, 5), (1, 5)), ((5,), (3, 5)), ((2, 3, 1), (5,)), ((), (5,))])
def test_shapes_broadcast(shapes):
    def broadcast(a, b):
        return {"shape": tf.raw_ops.BroadcastArgs(s0=tf.shape(a), s1=tf.shape(b))}

    session = converted_function(broadcast, *([None] * len(shape) for shape in shapes))
    arrays = [np.zeros(shape, "float32") for shape in shapes]
    names = [tensor.name for tensor in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, arrays, strict=True)))
    assert tuple(found) == np.broadcast_shapes(*shapes)


@pytest.mark.slow
def test_what_has_no_onnx(tmp_path):
    normal = tfvae.layers.MultivariateNormalDiag
    encoder = keras.Sequential([layers.Dense(4), normal(2)])
    decoder = keras.Sequential([layers.Dense(8), normal(4), layers.Dense(10), tfvae.layers.IndependentNormal((5,))])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.build((None, 5))
    with pytest.raises(ValueError, match=r"tf2onnx .* cannot convert the decoder.*Stateless.*draws random numbers"):
        tfvae.export.save_onnx(vae, tmp_path / "m", np.zeros((4, 5), "float32"))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("DiscretizedLogistic", "IndependentBernoulli", "IndependentBeta", "IndependentContinuousBernoulli"),
        *("IndependentLaplace", "IndependentLogistic", "IndependentNegativeBinomial", "IndependentNormal"),
        *("IndependentPoisson", "IndependentStudentT"),
    ],
)
def test_likelihoods(tmp_path, name):
    keras.utils.set_random_seed(3)
    likelihood = getattr(tfvae.layers, name)((5,))
    encoder = keras.Sequential([layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([layers.Dense(likelihood.parameters_size, activation="gelu"), likelihood])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.build((None, 5))
    x = np.random.default_rng(0).uniform(0.1, 0.9, size=(20, 5)).astype("float32")
    converted = tfvae.export.save_onnx(vae, tmp_path / "m", x)
    assert max(found.max_abs for found in converted.deviations) < 1e-5


@pytest.mark.slow
def test_full_covariance_and_a_recurrent_layer(tmp_path):
    tril = tfvae.layers.MultivariateNormalTriL
    encoder = keras.Sequential([layers.LSTM(6), layers.Dense(tril.params_size(2)), tril(2)])
    decoder = keras.Sequential([layers.Dense(42), tfvae.layers.IndependentNormal((7, 3))])
    vae = tfvae.models.VAE(encoder, decoder)
    vae.build((None, 7, 3))
    x = np.random.default_rng(0).normal(size=(20, 7, 3)).astype("float32")
    converted = tfvae.export.save_onnx(vae, tmp_path / "m", x)
    assert {found.output for found in converted.deviations} == {"loc", "scale_tril", "mean"}
