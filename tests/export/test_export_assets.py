"""What lies beside an exported model: its manifest, TensorFlow Serving's warm-up requests and configuration."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

import tfvae
from tfvae.export.signature_names import DEFAULT, MEANS, SIGNATURES

NAMES = {*SIGNATURES, *MEANS, DEFAULT}


@pytest.fixture(scope="module")
def folder(image_model):
    return image_model


def requests(folder):
    """What TensorFlow Serving reads, by its own classes."""
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(log)
        for log in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    assert all(log.WhichOneof("log_type") == "predict_log" for log in logs)
    return [log.predict_log.request for log in logs]


def test_warm_up_requests_are_answered(folder, image_loaded):
    loaded, seen = image_loaded.signatures, {}
    for request in requests(folder):
        assert request.model_spec.name == "image"
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        answer = loaded[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        assert all(np.isfinite(value).all() for value in answer.values())
        seen.setdefault(request.model_spec.signature_name, set()).update(
            len(inputs[name]) for name in ("x", "z") if name in inputs
        )
    assert set(seen) == NAMES
    assert all(sizes == {1, 8} for name, sizes in seen.items() if name != "sample")


@pytest.mark.slow  # it is asked for every signature always, in test_export_signatures
def test_the_session_loader_answers_them_too(folder):
    asked = requests(folder)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder)).signature_def
        for request in asked:
            signature = signatures[request.model_spec.signature_name]
            feed = {signature.inputs[name].name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            answer = session.run({name: tensor.name for name, tensor in signature.outputs.items()}, feed)
            assert all(np.isfinite(value).all() for value in answer.values())


def test_manifest_says_what_the_model_is(folder):
    manifest = tfvae.export.read_manifest(folder)
    assert (manifest["tfvae"], manifest["dtype"]) == (tfvae.__version__, "float32")
    assert (manifest["event_shape"], manifest["latent_shape"]) == ([8, 8, 1], [3])
    assert manifest["about"]["elbo"] == {"mean": -3.5, "standard_error": 0.25}
    assert set(manifest["signatures"]) == NAMES
    assert manifest["signatures"]["elbo"]["inputs"] == {"x": [None, 8, 8, 1], "num_samples": [], "seed": [2]}
    assert manifest["signatures"]["likelihood"]["outputs"] == {"mean": [None, 8, 8, 1]}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {*manifest["files"]} == files - {"assets.extra/tfvae.json"}
    assert "assets.extra/tf_serving_warmup_requests" in files
    for name, checksum in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


@pytest.mark.parametrize("name", ["variables/variables.index", "assets.extra/tf_serving_warmup_requests"])
def test_a_changed_byte_and_a_missing_file_are_found(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"is damaged or incomplete: {name} has a wrong checksum"):
        tfvae.export.load(copy)
    (copy / name).unlink()
    with pytest.raises(ValueError, match=rf"is damaged or incomplete: {name} is missing"):
        tfvae.export.load(copy)


def test_a_damaged_manifest_and_none_are_one_error(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "assets.extra" / "tfvae.json"
    for content in ("{", "[]", json.dumps({"files": 3})):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"tfvae.json (cannot be read|is damaged)"):
            tfvae.export.load(copy)
    path.unlink()
    assert tfvae.export.read_manifest(copy) is None
    with pytest.raises(
        ValueError, match=r"it has no assets\.extra/tfvae\.json\. \(Models of tfvae 0\.1\.0 do not have it"
    ):
        tfvae.export.load(copy)


def test_a_changed_manifest_and_one_of_a_later_version_are_refused(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "copy") / "assets.extra" / "tfvae.json"
    written = json.loads(path.read_text())
    changes = {"event_shape": [8, 8, 2], "about": {}, "files": {k: v for k, v in list(written["files"].items())[1:]}}
    for name, value in changes.items():
        path.write_text(json.dumps({**written, name: value}))
        with pytest.raises(ValueError, match=r"tfvae.json has been changed since it was written"):
            tfvae.export.load(tmp_path / "copy")
    path.write_text(json.dumps({**written, "files": {}}))
    with pytest.raises(ValueError, match=r"tfvae.json is damaged: it lists no files"):
        tfvae.export.load(tmp_path / "copy")
    path.write_text(json.dumps({**written, "format": 99, "tfvae": "9.0"}))
    with pytest.raises(ValueError, match=r"has format 99, but tfvae .* reads only format 1. Use tfvae 9.0"):
        tfvae.export.load(tmp_path / "copy")
    path.write_text(json.dumps(written))  # laid out otherwise, but the same
    tfvae.export.load(tmp_path / "copy")


def test_configuration_is_tensorflow_servings(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "toy" / "3")
    (tmp_path / "toy" / "not-a-version").mkdir()
    path = tfvae.export.save_serving_config(tmp_path, base_path="/srv")
    config = text_format.Parse(path.read_text(), model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("toy", "/srv/toy", "tensorflow")
    assert (path.parent / "batching.config").read_text().count("value:") == 4


def test_a_folder_without_models_has_no_configuration(folder, tmp_path):
    with pytest.raises(ValueError, match="must contain models NAME/VERSION"):
        tfvae.export.save_serving_config(tmp_path)
    with pytest.raises(ValueError, match="must contain models NAME/VERSION"):
        tfvae.export.save_serving_config(folder.parent)
    assert not list(tmp_path.iterdir())
