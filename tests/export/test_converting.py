"""What holds for files of every format: measured on real data before they are written, and nothing lost."""

import json
import math
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from small_models import small_vae

import tfvae
from tfvae._dtype_policy import dtype_policy
from tfvae.data import Split
from tfvae.export import Deviation, converting
from tfvae.export.converting import File, Format, save_converted
from tfvae.export.folders import Kind
from tfvae.export.real_examples import real_examples

tfd = tfp.distributions

KIND = Kind("folder of copies", "export.save_copies", lambda folder: any(folder.rglob("*.copy")))


@pytest.fixture(scope="module")
def vae():
    return small_vae()


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(size=(41, 4, 2)).astype("float32")


def copies(offset=0.0, precision="float32", seen=None, error=None):
    """Files that answer what the model does, and so much more in the first place of each batch."""

    def convert(network):
        def run(inputs):
            if error is not None:
                raise error
            answers = {name: np.array(value) for name, value in network.function(**inputs).items()}
            for value in answers.values():
                value[0] += offset
            return answers

        if seen is not None:
            seen[network.name] = network
        yield File(f"{precision}/{network.name}.copy", precision, network.name.encode(), run)

    return Format(KIND, frozenset({"float32"}), convert)


def save(vae, path, data, target_format=None, *, overwrite=False, about=None, tolerance=1e-4):
    target_format = copies() if target_format is None else target_format
    return save_converted(vae, path, data, target_format, overwrite=overwrite, about=about, tolerance=tolerance)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class TestWriting:
    def test_the_folder_and_its_manifest(self, vae, x, tmp_path):
        converted = save(vae, tmp_path / "a" / "b", x, about={"data": {"name": "toys"}})
        assert converted.path == tmp_path / "a" / "b"
        assert converted.num_bytes == {"float32/encoder.copy": 7, "float32/decoder.copy": 7}
        assert (converted.path / "float32" / "encoder.copy").read_bytes() == b"encoder"
        manifest = tfvae.export.read_manifest(converted.path)
        assert (manifest["event_shape"], manifest["latent_shape"], manifest["dtype"]) == ([4, 2], [2], "float32")
        assert manifest["signatures"] == {
            "posterior": {"inputs": {"x": [None, 4, 2]}, "outputs": {"loc": [None, 2], "scale": [None, 2]}},
            "likelihood": {"inputs": {"z": [None, 2]}, "outputs": {"mean": [None, 4, 2]}},
        }
        assert manifest["about"] == {"data": {"name": "toys"}}
        assert manifest["measured"] == json.loads(json.dumps(converted.to_dict()))
        assert set(manifest["files"]) == set(converted.num_bytes)
        assert {path.name for path in tmp_path.rglob("*")} == {
            *("a", "b", "float32", "encoder.copy", "decoder.copy", "tfvae.json")
        }

    def test_the_model_is_left_as_it_was(self, vae, x, tmp_path):
        before = [np.array(variable) for variable in vae.variables]
        save(vae, tmp_path / "m", x)
        for variable, value in zip(vae.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)

    def test_deviations_are_those_of_the_answers(self, vae, x, tmp_path):
        converted = save(vae, tmp_path / "m", x, copies(offset=-0.25), tolerance=1.0)
        measured = x[1::2]
        assert converted.num_examples == len(measured) == 20
        by_output = {found.output: found for found in converted.deviations}
        assert set(by_output) == {"loc", "scale", "mean"}
        q = vae.encode(measured)
        for name, value in (("loc", q.mean()), ("scale", q.stddev())):
            found = by_output[name]
            assert (found.file, found.precision) == ("float32/encoder.copy", "float32")
            assert found.max_abs == pytest.approx(0.25)
            assert found.mean_abs == pytest.approx(0.25 / 20)  # one batch of twenty, one of them is off
            assert found.largest == pytest.approx(np.abs(value).max())

    def test_networks_meet_real_inputs(self, vae, x, tmp_path):
        seen = {}
        save(vae, tmp_path / "m", x, copies(seen=seen))
        np.testing.assert_array_equal(seen["encoder"].calibration["x"], x[::2])
        z = seen["decoder"].calibration["z"]
        assert (z.dtype, z.shape) == (np.float32, (2 * 21, 2))  # of q(z|x), then of p(z)
        q = vae.encode(x[::2])
        assert np.abs((z[:21] - q.mean()) / q.stddev()).max() < 5
        assert [list(network.calibration) for network in seen.values()] == [["x"], ["z"]]

    def test_overwrite_replaces_the_whole_folder(self, vae, x, tmp_path):
        save(vae, tmp_path / "m", x, copies(precision="float16"))
        with pytest.raises(ValueError, match=r"already contains a folder of copies.*overwrite=True"):
            save(vae, tmp_path / "m", x)
        (tmp_path / "m" / "old.copy").write_bytes(b"")
        save(vae, tmp_path / "m", x, overwrite=True)
        assert set(contents(tmp_path / "m")) == {"float32/encoder.copy", "float32/decoder.copy", "tfvae.json"}

    @pytest.mark.parametrize(
        ("error", "expected", "message"),
        [
            (
                RuntimeError("DIV by zero\nat 7"),
                ValueError,
                r"encoder\.copy was converted, but .* failed: DIV by zero\.",
            ),
            (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
        ],
    )
    def test_what_fails_leaves_the_old_files(self, vae, x, tmp_path, error, expected, message):
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "old.copy").write_bytes(b"old")
        with pytest.raises(expected, match=message):
            save(vae, tmp_path / "m", x, copies(error=error), overwrite=True)
        assert contents(tmp_path) == {"m/old.copy": b"old"}
        assert [path.name for path in tmp_path.iterdir()] == ["m"]

    def test_load_says_what_they_are(self, vae, x, tmp_path):
        save(vae, tmp_path / "m", x)
        with pytest.raises(ValueError, match=r"no saved_model\.pb\. It contains a model for other runtimes"):
            tfvae.export.load(tmp_path / "m")


class TestRefusals:
    def refused(self, folder, error, message, vae, data, *options, **more):
        with pytest.raises(error, match=message):
            save(vae, folder / "m", data, *options, **more)
        assert not list(folder.iterdir())

    @pytest.mark.parametrize("offset", [0.01, -0.01])
    def test_float32_is_the_model_itself(self, vae, x, tmp_path, offset):
        message = r"float32/encoder\.copy differs from the model.*its loc differs by 0\.01 .*tolerance=0\.001 allows"
        self.refused(tmp_path, ValueError, message, vae, x, copies(offset=offset), tolerance=1e-3)
        save(vae, tmp_path / "m", x, copies(offset=offset), tolerance=0.02)

    def test_tolerance_is_a_part_of_large_values(self):
        converting._require_close([Deviation("e.copy", "float32", "loc", 9e-4, 1e-5, 10.0)], KIND, 1e-4)
        for largest in (8.0, 0.1):
            with pytest.raises(ValueError, match=r"e\.copy differs from the model.*differs by 0\.0009"):
                converting._require_close([Deviation("e.copy", "float32", "loc", 9e-4, 1e-5, largest)], KIND, 1e-4)

    def test_other_precisions_may_be_further_off(self, vae, x, tmp_path):
        save(vae, tmp_path / "m", x, copies(offset=0.3, precision="int8"))

    @pytest.mark.parametrize(
        ("precision", "advice"), [("float32", r"export\.save"), ("float16", "Omit float16 from `precisions`")]
    )
    def test_numbers_that_are_none(self, vae, x, tmp_path, precision, advice):
        message = (
            rf"of {precision}/encoder.copy is NaN or infinite on real data, but that of the model is finite.*{advice}"
        )
        self.refused(tmp_path, ValueError, message, vae, x, copies(offset=np.inf, precision=precision))

    def test_a_model_that_answers_nonsense(self, x, tmp_path):
        broken = small_vae()
        broken.encoder.trainable_variables[0].assign_add(np.nan * np.ones((8, 4), "float32"))
        self.refused(tmp_path, ValueError, "The output loc of the model is NaN or infinite on real data", broken, x)

    @pytest.mark.parametrize("tolerance", [-1e-9, math.nan, math.inf])
    def test_tolerance(self, vae, x, tmp_path, tolerance):
        self.refused(
            tmp_path, ValueError, "tolerance must be a finite number of at least 0", vae, x, tolerance=tolerance
        )

    def test_not_a_vae(self, x, tmp_path):
        model = keras.Sequential([keras.layers.Dense(1)])
        self.refused(tmp_path, TypeError, r"export\.save_copies requires a tfvae\.models\.VAE", model, x)

    def test_a_posterior_without_moments(self, x, tmp_path):
        softplus = tfp.bijectors.Softplus()
        posterior = tfvae.layers.DistributionLambda(
            lambda t: tfd.Independent(tfd.TransformedDistribution(tfd.Normal(t[:, 0, :], 0.5), softplus), 1)
        )
        prior = tfvae.priors.StandardNormal(2)
        model = tfvae.models.VAE(keras.Sequential([posterior]), small_vae().decoder, prior=prior)
        model.build((None, 4, 2))
        message = r"neither parameters nor mean of the posterior q\(z\|x\) of this model\. .* export\.save "
        self.refused(tmp_path, ValueError, message, model, x)

    @pytest.mark.slow
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_half_precision(self, x, tmp_path, policy):
        with dtype_policy(policy):
            model = small_vae()
        message = rf"compute in float32, but the posterior of this model computes in {policy[6:]}.*set_dtype_policy"
        self.refused(tmp_path, ValueError, message, model, x)
        model.save_weights(tmp_path / "model.weights.h5")
        again = small_vae()
        again.load_weights(tmp_path / "model.weights.h5")  # as the message says
        save(again, tmp_path / "m", x)

    def test_no_data(self, vae, tmp_path):
        self.refused(tmp_path, ValueError, r"export\.save_copies needs real data.*splits\.train", vae, None)


class TestRealExamples:
    def examples(self, vae, data):
        return (part.x for part in real_examples(vae, data, (4, 2), "export.save_copies"))

    def test_of_an_array_they_are_spread_evenly(self, vae):
        x = np.linspace(0, 1, 9001, dtype="float32")[:, None, None] * np.ones((4, 2), "float32")
        calibration, measured = self.examples(vae, x)
        assert calibration.shape == measured.shape == (1000, 4, 2)
        assert not set(calibration[:, 0, 0]) & set(measured[:, 0, 0])
        for part in (calibration, measured):
            assert part.min() < 0.001
            assert part.max() > 0.999

    def test_large_examples_are_fewer(self, vae, monkeypatch):
        monkeypatch.setattr("tfvae.export.real_examples._MAX_NUMBERS", 88)
        calibration, measured = self.examples(vae, np.zeros((50, 4, 2), "float32"))
        assert (len(calibration), len(measured)) == (6, 5)

    def test_of_a_split(self, vae):
        raw = np.arange(8 * 3, dtype="uint8").reshape(3, 4, 2)
        calibration, measured = self.examples(vae, Split(raw, num_levels=25))
        np.testing.assert_allclose(calibration, raw[::2] / 24.0, rtol=1e-6)
        np.testing.assert_allclose(measured, raw[1::2] / 24.0, rtol=1e-6)

    def test_of_shards_they_are_the_first(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tfvae.export.real_examples._MAX_EXAMPLES", 30)
        images = np.random.default_rng(1).uniform(size=(41, 4, 2, 1)).astype("float32")
        data = tfvae.data.Splits("toys", train=Split(images), test=Split(images[:3]))
        tfvae.data.write_shards(data, tmp_path / "shards")
        train = tfvae.data.load(tmp_path / "shards").train
        model = SimpleNamespace(check_data=list, condition_shape=None, missing=None)
        calibration, measured = (part.x for part in real_examples(model, train, (4, 2, 1), "export.save_copies"))
        np.testing.assert_array_equal(calibration, train.take(30).x[::2])
        np.testing.assert_array_equal(measured, train.take(30).x[1::2])

    @pytest.mark.parametrize("labels", [False, True])
    def test_of_a_data_set_that_never_ends(self, vae, x, labels):
        tensors = (x, np.arange(len(x))) if labels else x
        dataset = tf.data.Dataset.from_tensor_slices(tensors).batch(7).repeat()
        calibration, measured = self.examples(vae, dataset)
        assert len(calibration) == len(measured) == 1000
        np.testing.assert_array_equal(calibration[:20], x[:40:2])

    def test_of_a_single_one(self, vae, x):
        calibration, measured = self.examples(vae, x[:1])
        np.testing.assert_array_equal(calibration, measured)

    @pytest.mark.parametrize("data", ["digits", 3.0, object()])
    def test_what_is_no_data(self, vae, data):
        with pytest.raises(TypeError, match=r"`data` must be an array \[N, \*event\].*Received: data="):
            self.examples(vae, data)

    def test_data_of_another_kind(self, vae, x):
        empty = tf.data.Dataset.from_tensor_slices(x).batch(7).take(0)
        for data, message in (
            ((255 * x).astype("uint8"), "Received: x of dtype uint8"),
            (x[:, :3], r"Received: x of event shape \(3, 2\)"),
            (x - 1, r"requires x in \[0, 1\]"),
            (x[:0], "There are no examples"),
            (empty, "There are no examples"),
            (x * np.nan, "NaN or infinite"),
        ):
            with pytest.raises(ValueError, match=message):
                self.examples(vae, data)


@pytest.mark.parametrize(("name", "package"), [("litert", "ai_edge_litert.interpreter"), ("onnx", "onnxruntime")])
def test_an_extra_that_is_not_installed(vae, x, tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"tfvae.export.{name}_files", raising=False)
    save = {"litert": tfvae.export.save_litert, "onnx": tfvae.export.save_onnx}[name]
    with pytest.raises(ValueError, match=rf"export\.save_{name} needs \w+, .*pip install 'tfvae\[{name}\]'"):
        save(vae, tmp_path / "m", x)
    assert not list(tmp_path.iterdir())
