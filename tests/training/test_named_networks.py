"""Networks by name in a configuration, and the user's own."""

import sys

import keras
import numpy as np
import pytest
from small_models import without_xla

import tfvae
from tfvae.cli.app import main
from tfvae.data.splits import make_splits
from tfvae.training import RunConfig, build_vae, train
from tfvae.training.choices import choices
from tfvae.training.resolve import resolve

OWN = {"kind": "own_networks:make_encoder", "decoder": "own_networks:make_decoder", "width": 3}
CODE = """
import keras

@keras.saving.register_keras_serializable("own")
class Own(keras.layers.Dense):
    pass

def make_encoder(output_size, width, activation):
    return keras.Sequential([keras.layers.Flatten(), Own(width, activation), keras.layers.Dense(output_size)])

def make_decoder(image_shape, output_size, width):
    return keras.Sequential([Own(width), keras.layers.Dense(output_size, bias_initializer="ones")])
"""


def splits_of(*event_shape):
    rng = np.random.default_rng(0)
    return make_splits("own.npy", {"train": rng.normal(size=(20, *event_shape))}, {}, "own.npy")


def config_of(network, **model):
    return RunConfig.from_dict({"data": {"name": "own.npy"}, "model": {"network": network, "latent_size": 2, **model}})


@pytest.mark.parametrize(
    ("network", "event_shape", "activation", "described"),
    [
        ("gated_mlp", (4,), "linear", "gated_mlp, hidden layers of 6, 5 units, linear"),
        ({"kind": "residual_mlp", "normalization": "none"}, (4,), "swish", "residual_mlp, hidden layers of 6, 5 units"),
        ({"kind": "resnet", "normalization": "layer"}, (5, 3, 7), "swish", "resnet, 4, 8 filters, swish"),
    ],
)
def test_networks_by_name_start_at_a_standard_normal(network, event_shape, activation, described):
    splits = splits_of(*event_shape)
    config = resolve(config_of(network, hidden=(6, 5), filters=(4, 8)), splits)
    assert config.model.activation == activation
    assert described in next(each.value for each in choices(config, splits) if each.name == "network")
    vae = build_vae(config, splits)
    assert np.abs(vae.encode(splits.train.x).mean()).max() < 0.5
    first = next(layer for layer in vae.decoder.layers[0].layers if layer.weights)
    assert first.units == (5 if event_shape == (4,) else 2 * 8)  # the other way round than in the encoder
    standardized = vae.decode(np.zeros((1, 2))).stddev() / splits.train.x.std(axis=0)
    np.testing.assert_allclose(standardized, np.ones((1, *event_shape)), atol=0.3)


@pytest.mark.parametrize("network", ["conv", "resnet"])
def test_examples_of_too_many_axes_are_one_clear_error(network):
    message = rf"model.network must be one of gated_mlp, mlp, residual_mlp for .*\(2, 1, 2, 1, 2\): {network} requires"
    with pytest.raises(ValueError, match=message):
        resolve(config_of(network), splits_of(2, 1, 2, 1, 2))


def test_convolutions_of_the_rows_of_a_table_are_one_clear_error(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n" + "".join(f"{i * i / 7},{i / 3}\n" for i in range(40)))
    splits = tfvae.data.load(tmp_path / "table.csv")
    with pytest.raises(ValueError, match=r"model.network must be one of gated_mlp.* for the rows of a table"):
        resolve(config_of("conv"), splits)


@pytest.mark.parametrize("network", ["conv", "resnet"])
@pytest.mark.parametrize(
    ("event_shape", "num_axes", "layer"),
    [((7,), 1, keras.layers.Conv1D), ((9, 3), 1, keras.layers.Conv1D), ((7, 5, 3, 1), None, keras.layers.Conv3D)],
)
def test_series_and_volumes_from_files_have_their_number_of_spatial_axes(network, event_shape, num_axes, layer):
    splits = splits_of(*event_shape)
    config = resolve(config_of(network, filters=(4,), standardize="off"), splits)
    found = config.model.network
    assert (found.get("num_axes") if isinstance(found, dict) else None) == num_axes
    assert resolve(config, splits) == config
    vae = build_vae(config, splits)
    kinds = {type(each) for each in vae.encoder.layers[0].layers}
    assert layer in kinds
    assert not kinds & {keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D} - {layer}
    mean = vae.decode(np.zeros((1, 2))).mean().numpy()[0]
    assert mean.shape == splits.event_shape
    assert np.isfinite(vae.estimate(splits.train.x).bound).all()


def test_the_first_screen_says_along_how_many_axes_convolutions_go():
    splits = splits_of(9, 3)
    found = {each.name: each.value for each in choices(resolve(config_of("conv", filters=(4,)), splits), splits)}
    assert found["network"].startswith("conv along 1 axis, 4 filters, relu")


@pytest.mark.parametrize("network", ["conv", "resnet"])
def test_the_number_of_spatial_axes_can_be_given(network):
    splits = splits_of(9, 3)
    config = resolve(config_of({"kind": network, "num_axes": 2}, filters=(4,)), splits)
    assert config.model.network["num_axes"] == 2
    assert resolve(config, splits) == config
    square = resolve(config_of(network), splits_of(8, 8))
    assert "num_axes" not in square.to_toml(), "floats (N, 8, 8) may be gray images"


def test_one_spatial_axis_starts_at_the_mean_of_each_channel():
    splits = splits_of(8, 3)
    vae = build_vae(resolve(config_of("conv", filters=(4,), standardize="off"), splits), splits)
    mean = vae.decode(np.zeros((1, 2))).mean().numpy()[0]
    np.testing.assert_allclose(mean.mean(axis=0)[:, 0], splits.train.x.mean(axis=(0, 1))[:, 0], atol=0.2)


@pytest.mark.parametrize("num_axes", [0, 4])
def test_a_number_of_axes_that_the_data_do_not_have_is_refused(num_axes):
    with pytest.raises(ValueError, match=r"model\.network\.num_axes must be an integer from 1 to 3 for .*\(8, 3, 1\)"):
        resolve(config_of({"kind": "conv", "num_axes": num_axes}), splits_of(8, 3))


@pytest.fixture
def own_networks(tmp_path, monkeypatch):
    """The folder of a module that is not imported yet."""
    (tmp_path / "own_networks.py").write_text(CODE)
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_own_code_is_not_imported_unless_it_is_allowed(own_networks, monkeypatch, capfd):
    splits, config = splits_of(4), config_of(OWN)
    for refused in (
        lambda: build_vae(resolve(config, splits), splits),
        lambda: train(config, own_networks / "run"),
        lambda: train(config, own_networks / "run", resume=True),
    ):
        with pytest.raises(ValueError, match=r"--allow-code of `tfvae train`.*Received: model\.network="):
            refused()
    (own_networks / "own.toml").write_text(config.to_toml())
    monkeypatch.setattr(sys, "argv", ["tfvae", "train", "--config", str(own_networks / "own.toml")])
    with pytest.raises(SystemExit):
        main()
    assert "--allow-code" in capfd.readouterr().err
    assert "own_networks" not in sys.modules


def test_own_code_makes_the_networks_with_the_arguments_that_it_has(own_networks):
    splits = splits_of(4)
    config = resolve(config_of(OWN), splits)
    assert config.model.network == OWN
    assert RunConfig.from_dict(config.to_dict()) == config
    assert "own_networks:make_encoder" in str(choices(config, splits)[3])
    vae = build_vae(config, splits, allow_code=True)
    own = sys.modules["own_networks"].Own
    for network, activation in ((vae.encoder.layers[1], "relu"), (vae.decoder.layers[0], "linear")):
        layer = next(layer for layer in network.layers if isinstance(layer, own))
        assert layer.units == 3
        assert layer.activation.__name__ == activation
    np.testing.assert_array_equal(vae.decoder.layers[0].layers[-1].bias, np.ones(8))  # as it was made


@pytest.mark.slow
def test_a_run_with_own_code_is_trained_and_resumed_from_the_command_line(own_networks, monkeypatch, capfd):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["tfvae", "train", *words, "--allow-code"])
        with without_xla(), pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code

    monkeypatch.setattr(sys, "path", sys.path[1:])  # without the current folder
    monkeypatch.chdir(own_networks)
    (own_networks / "own.toml").write_text(config_of(OWN).to_toml())
    np.save(own_networks / "own.npy", splits_of(4).train.x)
    command("--config", "own.toml", "--epochs", "1", "--run-dir", "run", "--num-importance-samples", "5")
    monkeypatch.delitem(sys.modules, "own_networks")
    command("--resume", "run", "--epochs", "2")
    assert "test ELBO" in capfd.readouterr().out
    assert len((own_networks / "run" / "metrics.csv").read_text().splitlines()) == 3
    assert isinstance(tfvae.load_model("run/model.keras"), tfvae.models.VAE)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "own_networks:make_encoder",
            "model.network needs the function that makes the decoder.*my_module:make_decoder",
        ),
        ({"kind": "os:system; x", "decoder": "a:b"}, "model.network must be one of"),
        ({**OWN, "decoder": "make_decoder"}, "needs the function that makes the decoder"),
        ({"kind": "mlp", "decoder": "a:b"}, "model.network.decoder is not an argument of the network 'mlp'"),
        ({**OWN, "kind": "own_networks:gone"}, "'own_networks:gone' cannot be imported: .*gone"),
        ({**OWN, "kind": "no_such_module:f"}, "'no_such_module:f' cannot be imported: No module named"),
        ({**OWN, "depth": 2}, "model.network cannot be made: .*unexpected keyword argument 'depth'"),
    ],
)
def test_mistakes_in_own_code_are_one_clear_error(own_networks, network, message):
    splits = splits_of(4)
    with pytest.raises(ValueError, match=message):
        build_vae(resolve(config_of(network), splits), splits, allow_code=True)


def test_other_parts_take_no_code():
    with pytest.raises(ValueError, match=r"model\.prior must be one of"):
        config_of("mlp", prior="own_networks:make_encoder")
