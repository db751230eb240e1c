"""Files that are missing or damaged: one error that says what and how to fix it."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except
from tensorflow.core.protobuf import saved_model_pb2

import tfvae
from tfvae.export.inspecting import check_written_by_save
from tfvae.export.manifest import write_manifest


@pytest.fixture
def copy(image_model, tmp_path):
    return shutil.copytree(image_model, tmp_path / "copy")


def sign(folder):
    """Writes the manifest again, with the checksums of what lies there now."""
    manifest = tfvae.export.read_manifest(folder)
    write_manifest(folder, {key: value for key, value in manifest.items() if key not in ("tfvae", "format", "files")})


def test_an_exported_model(image_loaded, image_vae, images):
    seed = tf.constant([1, 2])
    answer = image_loaded.signatures["reconstruct"](x=tf.constant(images), seed=seed)
    np.testing.assert_allclose(answer["mean"], image_vae.reconstruct(images, seed=seed), rtol=1e-5, atol=1e-5)


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"no exported model at .*nowhere\. Write one with tfvae\.export\.save"):
        tfvae.export.load(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"has no saved_model\.pb\. Export the model again"):
        tfvae.export.load(tmp_path)


def test_the_folder_of_the_versions(copy):
    versions = copy.parent / "versions"
    versions.mkdir()
    copy.rename(versions / "3")
    with pytest.raises(ValueError, match=r"versions \['3'\].*versions/3"):
        tfvae.export.load(versions)


@pytest.mark.parametrize(
    ("name", "kept"),
    slow_except(
        itertools.product(
            ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
            [0.0, 0.1, 0.7, 0.999],
        ),
        ("saved_model.pb", 0.1),
        ("variables/variables.index", 0.7),
        ("variables/variables.data-00000-of-00001", 0.999),
    ),
)
def test_truncated_files(copy, name, kept):
    file = copy / name
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    sign(copy)  # else the checksums find it
    with pytest.raises(ValueError, match=r"(damaged or incomplete|not written by tfvae)"):
        tfvae.export.load(copy)


@pytest.mark.parametrize(
    "name",
    slow_except(
        ["variables/variables.index", "variables/variables.data-00000-of-00001"],
        "variables/variables.data-00000-of-00001",
    ),
)
def test_missing_files(copy, name):
    (copy / name).unlink()
    sign(copy)
    with pytest.raises(ValueError, match=r"damaged or incomplete: .*overwrite=True"):
        tfvae.export.load(copy)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_files_of_something_else(copy, name):
    (copy / name).write_bytes(b"<html>404 not found</html>" * 100)
    sign(copy)
    with pytest.raises(ValueError, match="damaged or incomplete"):
        tfvae.export.load(copy)


def test_a_changed_weight(copy):
    file = copy / "variables/variables.data-00000-of-00001"
    content = bytearray(file.read_bytes())
    content[10] ^= 0xFF
    file.write_bytes(content)
    sign(copy)
    with pytest.raises(ValueError, match=r"damaged or incomplete: .*[Cc]hecksum"):
        tfvae.export.load(copy)


def test_another_saved_model(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], name="x")])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"serving_default": module.double})
    with pytest.raises(ValueError, match=r"no signature encode, decode.*tf\.saved_model\.load"):
        tfvae.export.load(tmp_path / "other")


class RunsWhenOpened(tf.saved_model.experimental.TrackableResource):
    """A resource whose initializer writes a file: a harmless stand-in for any program."""

    def __init__(self, file):
        super().__init__()
        self.file, self.handle = file, self.resource_handle  # made when it is first read

    def _create_resource(self):
        return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

    @tf.function(input_signature=[])
    def _initialize(self):
        tf.io.write_file(str(self.file), "it has run")


@pytest.fixture
def foreign(tmp_path, image_model):
    """A SavedModel of plain TensorFlow that runs a program when it is opened, with our signatures; and its mark."""
    mark, module = tmp_path / "mark", tf.Module()
    module.resource = RunsWhenOpened(mark)
    return save_as(tmp_path / "foreign", module, image_model, module.resource), mark


def save_as(folder, module, model, resource=None):
    """Saves a module with the signatures of a model."""
    described = tfvae.export.read_manifest(model)["signatures"]
    signatures = {name: copy_of(signature, resource) for name, signature in described.items()}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    for mark in folder.parent.glob("mark"):  # what it runs as it is saved
        mark.unlink()
    return folder


def copy_of(described, resource):
    """A function with the inputs and outputs of a signature, which uses the resource, if any, and answers zeros."""
    whole = {"num_samples", "seed"}
    specs = [
        tf.TensorSpec(shape, tf.int32 if name in whole else tf.float32, name)
        for name, shape in described["inputs"].items()
    ]

    @tf.function(input_signature=specs)
    def function(*inputs):
        if resource is not None:
            tf.raw_ops.LookupTableSizeV2(table_handle=resource.resource_handle)
        rows = tf.shape(inputs[0])[0] if inputs[0].shape.rank else inputs[0]
        return {name: tf.zeros([rows, *shape[1:]]) for name, shape in described["outputs"].items()}

    return function


def test_a_foreign_model_is_refused_before_anything_of_it_runs(foreign, image_model):
    """Without a manifest, with one of another model, and with one that a forger has written for it."""
    folder, mark = foreign
    with pytest.raises(ValueError, match=r"it has no assets\.extra/tfvae\.json.*It has not been opened"):
        tfvae.export.load(folder)
    shutil.copytree(image_model / "assets.extra", folder / "assets.extra")
    with pytest.raises(ValueError, match=r"is damaged or incomplete: .*\.pb has a wrong checksum"):
        tfvae.export.load(folder)
    sign(folder)
    with pytest.raises(ValueError, match=r"kind 'resource', which runs code when it is opened"):
        tfvae.export.load(folder)
    assert not mark.exists()
    tf.saved_model.load(str(folder))
    assert mark.read_text() == "it has run"


class RunsWhenRestored(tf.__internal__.tracking.AutoTrackable):
    """An object whose restoring writes a file."""

    def __init__(self, file):
        super().__init__()
        self.file, self.value = file, tf.Variable(1.0)

    def _serialize_to_tensors(self):
        return {"value": tf.constant(1.0)}

    def _restore_from_tensors(self, restored_tensors):
        with tf.control_dependencies([tf.io.write_file(str(self.file), "it has run")]):
            return tf.identity(restored_tensors["value"])


def test_a_model_that_runs_something_as_it_is_restored_is_refused(image_model, tmp_path):
    mark, module = tmp_path / "mark", tf.Module()
    module.model_variables = [RunsWhenRestored(mark)]
    folder = save_as(tmp_path / "model", module, image_model)
    shutil.copytree(image_model / "assets.extra", folder / "assets.extra")
    sign(folder)
    with pytest.raises(ValueError, match=r"functions that restore it, which may run.*It has not been opened"):
        tfvae.export.load(folder)
    assert not mark.exists()
    tf.saved_model.load(str(folder))
    assert mark.read_text() == "it has run"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda node: node.saveable_objects["VARIABLE_VALUE"].SetInParent(), "functions that restore it"),
        (lambda node: setattr(node, "registered_saver", "Other.saver"), r"the saver 'Other\.saver'"),
        (lambda node: setattr(node, "registered_name", "Other.Class"), r"the registered class 'Other\.Class'"),
        (lambda node: node.slot_variables.add(slot_name="m"), "the variables of an optimizer"),
        (lambda node: node.children.add(local_name="_restore_from_tensors", node_id=2), "a part '_restore_from_tens"),
        (lambda node: node.children.add(local_name="extend", node_id=2), "a part 'extend'"),
    ],
)
def test_objects_that_may_run_something_are_refused(copy, change, words):
    model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    change(model.meta_graphs[0].object_graph_def.nodes[1])
    (copy / "saved_model.pb").write_bytes(model.SerializeToString())
    sign(copy)
    with pytest.raises(ValueError, match=words):
        tfvae.export.load(copy)


def test_a_manifest_that_describes_another_model_is_refused(image_model):
    """Its shapes, and files that it does not vouch for."""
    manifest = tfvae.export.read_manifest(image_model)
    check_written_by_save(image_model, manifest)
    encode = {**manifest["signatures"]["encode"], "inputs": {"x": [None, 6], "seed": [2]}}
    for other in ({**manifest["signatures"], "encode": encode}, {}, None, [1]):
        with pytest.raises(ValueError, match=r"its signatures are not those that assets\.extra/tfvae\.json describes"):
            check_written_by_save(image_model, {**manifest, "signatures": other})
    files = {name: checksum for name, checksum in manifest["files"].items() if name != "saved_model.pb"}
    with pytest.raises(ValueError, match=r"has no checksum of saved_model\.pb"):
        check_written_by_save(image_model, {**manifest, "files": files})


@pytest.mark.parametrize("place", ["restore", "init"])
def test_a_model_whose_graph_does_something_when_it_is_opened_is_refused(place, image_model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(image_model, copy)
    model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0]
    nodes = {node.name: node for node in graph.graph_def.node}
    if place == "init":
        name = graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name
        graph.graph_def.node.add(name="other", op="WriteFile")
        nodes[name.partition(":")[0]].input.append("^other")
    else:
        called = nodes[graph.saver_def.restore_op_name.partition(":")[0]].attr["f"].func.name
        function = next(f for f in graph.graph_def.library.function if f.signature.name == called)
        function.node_def.add(name="other", op="WriteFile")
    (copy / "saved_model.pb").write_bytes(model.SerializeToString())
    manifest = tfvae.export.read_manifest(copy)
    check_written_by_save(image_model, manifest)
    with pytest.raises(ValueError, match="runs the operation WriteFile when it is opened"):
        check_written_by_save(copy, manifest)
