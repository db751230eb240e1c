"""LiteRT and ONNX files of models with conditions, labels and missing values."""

import numpy as np
import pytest
from steered_models import NUM_CLASSES, conditional_vae, data, labelled_vae, stacked_vae, vae_with_holes, with_holes

import tfvae
from tfvae.data import Split
from tfvae.export.converting import File, Format, save_converted
from tfvae.export.folders import Kind
from tfvae.export.real_examples import real_examples

KIND = Kind("folder of copies", "export.save_copies", lambda folder: any(folder.rglob("*.copy")))
X = data(60)
LABELS = np.arange(60) % NUM_CLASSES
C = np.eye(NUM_CLASSES, dtype="float32")[LABELS]
Z = np.random.default_rng(3).normal(size=(60, 2)).astype("float32")


def copies(seen):
    """Files that answer what the model does."""

    def convert(network):
        seen[network.name] = network
        yield File(f"{network.name}.copy", "float32", b"", lambda inputs: network.function(**inputs))

    return Format(KIND, frozenset({"float32"}), convert)


def save(vae, path, given):
    seen = {}
    options = {"overwrite": False, "about": None, "tolerance": 1e-4}
    return save_converted(vae, path, given, copies(seen), **options), seen


@pytest.mark.parametrize("split", [False, True])
def test_conditions_are_those_of_the_data(split):
    vae = conditional_vae()
    given = Split(X, condition=C) if split else {"x": X, "condition": LABELS}
    calibration, measured = real_examples(vae, given, X.shape[1:], "export.save_copies")
    np.testing.assert_array_equal(calibration.condition, C[::2])
    np.testing.assert_array_equal(measured.condition, C[1::2])
    np.testing.assert_array_equal(measured.x, X[1::2])
    with pytest.raises(ValueError, match="needs a condition of shape"):
        real_examples(vae, X, X.shape[1:], "export.save_copies")


def test_a_condition_is_another_input(tmp_path):
    converted, seen = save(conditional_vae(), tmp_path / "m", {"x": X, "condition": LABELS})
    inputs = {name: list(network.calibration) for name, network in seen.items()}
    assert inputs == {"encoder": ["x", "condition"], "decoder": ["z", "condition"]}
    np.testing.assert_array_equal(seen["decoder"].calibration["condition"], np.concatenate([C[::2], C[::2]]))
    assert max(found.max_abs for found in converted.deviations) < 1e-6
    assert tfvae.export.read_manifest(converted.path)["condition_shape"] == [NUM_CLASSES]


@pytest.mark.slow
def test_a_model_with_labels_has_a_classifier(tmp_path):
    vae = labelled_vae()
    converted, seen = save(vae, tmp_path / "m", X)
    assert {name: list(network.calibration) for name, network in seen.items()} == {
        "encoder": ["x", "y"],
        "decoder": ["y", "z"],
        "classifier": ["x"],
    }
    assert [(found.file, found.output) for found in converted.deviations] == [
        ("encoder.copy", "loc"),
        ("encoder.copy", "scale"),
        ("decoder.copy", "mean"),
        ("classifier.copy", "probs"),
    ]
    y = seen["decoder"].calibration["y"]  # of q(y|x), then of p(y)
    assert y.shape == (60, NUM_CLASSES)
    assert (np.sort(y, axis=1) == [0, 0, 1]).all()
    manifest = tfvae.export.read_manifest(converted.path)
    assert manifest["labels"] == {"part": "y", "num_classes": NUM_CLASSES}
    assert manifest["signatures"]["classify"]["inputs"] == {"x": [None, 4, 2]}


def test_other_parts_of_z_are_refused(tmp_path):
    vae = labelled_vae()
    vae.estimator = tfvae.estimators.SGVB()
    with pytest.raises(ValueError, match=r"export\.save_copies requires a model whose latents z are one tensor"):
        save(vae, tmp_path / "m", X)


@pytest.mark.slow
def test_a_stacked_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"are the label and one other part\. Export a SavedModel .*'z1': \(3,\)"):
        save(stacked_vae(), tmp_path / "m", X)


MODELS = {
    "conditional": (conditional_vae, {"x": X, "condition": LABELS}),
    "labelled": (labelled_vae, X),
    "holes": (vae_with_holes, with_holes(X)),
}


def expected(name, vae):
    """What the files answer, by file."""
    if name == "labelled":
        of_q, _ = vae.encode(X).sample_distributions(value={"y": C})
        return {
            "encoder": ({"x": X, "y": C}, {"loc": of_q["z"].mean(), "scale": of_q["z"].stddev()}),
            "decoder": ({"y": C, "z": Z}, {"mean": vae.decode({"y": C, "z": Z}).mean()}),
            "classifier": ({"x": X}, {"probs": vae.classify(X)}),
        }
    x, condition = (X, C) if name == "conditional" else (with_holes(X), None)
    more = {} if condition is None else {"condition": condition}
    q = vae.encode(x, condition=condition)
    return {
        "encoder": ({"x": x, **more}, {"loc": q.mean(), "scale": q.stddev()}),
        "decoder": ({"z": Z, **more}, {"mean": vae.decode(Z, condition=condition).mean()}),
    }


def check(vae, name, answer):
    for file, (inputs, outputs) in expected(name, vae).items():
        found = answer(file, inputs)
        for output, value in outputs.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_litert(tmp_path, name):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs the extra litert")
    pytest.importorskip("ai_edge_quantizer", reason="needs the extra litert")
    make, given = MODELS[name]
    vae = make()
    converted = tfvae.export.save_litert(vae, tmp_path / "m", given)

    def answer(file, inputs):
        path = converted.path / "float32" / f"{file}.tflite"
        return interpreter.Interpreter(model_path=str(path)).get_signature_runner()(**inputs)

    check(vae, name, answer)
    assert {found.precision for found in converted.deviations} == {"float32", "float16", "int8"}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_onnx(tmp_path, name):
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("tf2onnx", reason="needs the extra onnx")
    make, given = MODELS[name]
    vae = make()
    converted = tfvae.export.save_onnx(vae, tmp_path / "m", given)

    def answer(file, inputs):
        session = runtime.InferenceSession(str(converted.path / f"{file}.onnx"))
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    check(vae, name, answer)
