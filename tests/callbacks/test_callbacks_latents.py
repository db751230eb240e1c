"""What TensorBoard shows of latents and of a run as a whole: tables, the Projector, settings, graph, profile."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from google.protobuf import text_format
from slow import slow_except
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.projector import ProjectorConfig

import tfvae
from tfvae import _images
from tfvae.callbacks import VAETensorBoard
from tfvae.callbacks._tensorboard.latents import LatentHistory
from tfvae.callbacks._tensorboard.pictures import PICTURES, PictureInputs
from tfvae.callbacks._tensorboard.views import NUM_DRAWS, ModelViews

tfd = tfp.distributions


def only(*views):
    return {**dict.fromkeys(VAETensorBoard.EVERY, 0), **dict.fromkeys(views, 1)}


def table(folder):
    with (folder / "latents.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_the_table_has_the_kl_and_the_activity_of_each_dimension(vae, images, tmp_path, read_events):
    vae.fit(images, epochs=2, callbacks=[VAETensorBoard(tmp_path, images, only("latents", "heat_map"))], verbose=0)
    rows = table(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2]
    posterior = vae.encode(images)
    mean, stddev = posterior.mean().numpy(), posterior.stddev().numpy()
    kl = (0.5 * (mean**2 + stddev**2 - 1) - np.log(stddev)).mean(axis=0)
    for d in range(3):
        assert rows[1][f"kl_{d}"] == pytest.approx(kl[d], rel=1e-4)
        assert rows[1][f"activity_{d}"] == pytest.approx(mean[:, d].var(ddof=1), rel=1e-4)
    events = read_events(tmp_path / "train")
    assert events.scalars["active_units"][2] == (mean.var(axis=0, ddof=1) > 0.01).sum()
    assert list(events.images["latents/heat_map"]) == [1, 2]


def test_a_heat_map_gets_a_column_an_epoch(tmp_path):
    history = LatentHistory(tmp_path / "latents.csv")
    pictures = []
    for epoch in range(1, 4):
        history.add(epoch, {"kl": np.array([2.0, 1e-9]), "activity": np.array([1.0, 0.0])})
        pictures.append(history.picture())
    # One dimension is bright, the other dark, whatever the number of epochs.
    shape = pictures[0].shape
    for picture in pictures:
        assert picture.shape == shape
        left = picture[:, : shape[1] // 3]
        assert (left.reshape(-1, 3) == [253, 231, 36]).all(axis=-1).any()  # the ends of viridis
        assert (left.reshape(-1, 3) == [68, 1, 84]).all(axis=-1).any()


def test_a_resumed_fit_goes_on_with_the_table(vae, images, tmp_path):
    """Also after a kill: later epochs come again, and a row that is half written is dropped."""
    for first, last in ((0, 3), (2, 4)):
        vae.fit(
            images,
            initial_epoch=first,
            epochs=last,
            callbacks=[VAETensorBoard(tmp_path, images, only("latents"))],
            verbose=0,
        )
        with (tmp_path / "latents.csv").open("a") as file:
            file.write("5,0.25")
    history = LatentHistory(tmp_path / "latents.csv")
    history.resume(9)
    assert [row["epoch"] for row in table(tmp_path)] == [1, 2, 3, 4]
    history.add(5, {"kl": np.ones(4)})  # another model: its own table
    assert [list(row) for row in table(tmp_path)] == [["epoch", "kl_0", "kl_1", "kl_2", "kl_3"]]


def test_collapse_is_said(vae, make_vae, images, tmp_path, read_events, show):
    # Softplus of nothing is a standard deviation below one: the rate stays a number.
    for scale, said in ((1.0, "No posterior collapse: "), (1e-4, "Posterior collapse: 0 of 3 latent units are active")):
        folder, vae = tmp_path / str(scale), vae if scale == 1.0 else make_vae(encoder_scale=scale)
        rate = float(vae.estimate(images).kl.numpy().mean())
        show(vae, VAETensorBoard(folder, images, only("latents")), kl=rate)
        text = read_events(folder / "train").text["latents/collapse"][1]
        assert text.startswith(said), text


def test_the_projector_has_latents_labels_and_thumbnails(vae, images, tmp_path):
    labels = np.array(["a", "b\nc"] * 11)
    board = VAETensorBoard(tmp_path, (images, labels), only("projector"))
    vae.fit(images, epochs=2, callbacks=[board], verbose=0)
    folder = tmp_path / "train"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    found = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    np.testing.assert_allclose(found, vae.encode(images).mean().numpy(), rtol=1e-4, atol=1e-5)
    assert (folder / embedding.metadata_path).read_text().splitlines() == ["a", "b c"] * 11
    sprite = tf.io.decode_png((folder / embedding.sprite.image_path).read_bytes()).numpy()
    width, height = embedding.sprite.single_image_dim
    assert (height, width) == (6, 4)
    assert sprite.shape == (5 * 6, 5 * 4, 1)  # square in pictures: 5 x 5 for 22 of them
    np.testing.assert_array_equal(sprite[6:12, 8:12], _images.to_displayable(images[7:8])[0])
    assert not sprite[24:, 8:].any()


def test_fewer_than_three_dimensions_have_columns_of_zeros_beside_them(images, tmp_path, show):
    show(plane_vae(1), VAETensorBoard(tmp_path, tfvae.data.Split(images), only("projector")))
    found = np.loadtxt(tmp_path / "train" / "latents.tsv", delimiter="\t")
    assert found.shape == (22, 3)
    assert not found[:, 1:].any()
    assert (tmp_path / "train" / "labels.tsv").read_text().splitlines() == [str(i) for i in range(22)]


def plane_vae(latent_size):
    keras.utils.set_random_seed(0)
    posterior = tfvae.layers.MultivariateNormalDiag
    encoder = keras.Sequential(
        [keras.Input((6, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2 * latent_size), posterior(latent_size)]
    )
    decoder = keras.Sequential([keras.layers.Dense(24), tfvae.layers.IndependentBernoulli((6, 4, 1))])
    return tfvae.models.VAE(encoder, decoder, seed=0)


@pytest.mark.parametrize("latent_size", slow_except([2, 3], 2))
def test_pictures_show_what_they_say(latent_size, images):
    vae = plane_vae(latent_size)
    views = ModelViews(vae, seed=0)
    encoding = views.encode(images)
    seen = PictureInputs(views, 9, tf.constant(images), encoding)
    means = vae.encode(images).mean().numpy()

    def cell(picture, row, column):
        return picture[7 * row : 7 * row + 6, 5 * column : 5 * column + 4]

    def decoded(z):
        return _images.to_displayable(vae.decode(np.asarray(z, "float32")[np.newaxis]).mean())[0]

    def assert_near(a, b):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1  # of 255: rounding

    traversals = PICTURES["traversals"](seen)
    assert traversals.shape == (7 * latent_size - 1, 5 * 11 - 1, 1)
    moved = means[0].copy()
    moved[1] = -3.0 + 0.6 * 3
    assert_near(cell(traversals, 1, 3), decoded(moved))
    interpolations = PICTURES["interpolations"](seen)
    assert interpolations.shape == (7 * 8 - 1, 5 * 11 - 1, 1)
    assert_near(cell(interpolations, 2, 0), decoded(means[4]))
    assert_near(cell(interpolations, 2, 10), decoded(means[5]))
    assert_near(cell(interpolations, 2, 4), decoded(0.6 * means[4] + 0.4 * means[5]))
    posterior_samples = PICTURES["posterior_samples"](seen)
    assert posterior_samples.shape == (7 * 8 - 1, 5 * (NUM_DRAWS + 1) - 1, 1)
    np.testing.assert_array_equal(cell(posterior_samples, 3, 0), _images.to_displayable(images[3:4])[0])
    assert_near(cell(posterior_samples, 3, 5), decoded(encoding.z[4, 3]))
    reconstructions = PICTURES["reconstructions"](seen)
    np.testing.assert_array_equal(cell(reconstructions, 0, 2), _images.to_displayable(images[2:3])[0])
    assert_near(cell(reconstructions, 1, 2), _images.to_displayable(vae.reconstruct(images[:9], seed=0))[2])
    manifold = PICTURES["manifold"](seen)
    if latent_size == 2:
        # The corner at the top left: the first of 16 quantiles across, the last of them up.
        assert_near(cell(manifold, 0, 0), decoded([-1.8627, 1.8627]))
        assert_near(cell(manifold, 15, 7), decoded([-0.0784, -1.8627]))
    else:
        assert manifold is None


def test_hparams_are_the_models_and_ones_own(vae, images, tmp_path):
    board = VAETensorBoard(tmp_path, images, only("hparams"), hparams={"augmented": True, "filters": [32, 64]})
    vae.fit(images, epochs=2, callbacks=[board], verbose=0)
    accumulator = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    content = accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in info.hparams.items()}
    assert found.pop("learning_rate") == pytest.approx(0.01)
    assert found.pop("num_parameters") == sum(int(np.prod(v.shape)) for v in vae.trainable_variables)
    assert found == {
        "augmented": True,
        "filters": "[32, 64]",
        "optimizer": "SGD",
        "estimator": "SGVB()",
        "prior": "StandardNormal",
        "beta": 0.5,
        "latent_size": 3.0,
    }
    assert info.group_name == "/".join(tmp_path.parts[-5:])


def test_the_graph_is_written_once(vae, images, tmp_path):
    for first, last in ((0, 2), (2, 3)):
        board = VAETensorBoard(tmp_path, images, only("graph", "hparams"))
        vae.fit(images, initial_epoch=first, epochs=last, callbacks=[board], verbose=0)
    graphs = []
    for path in sorted((tmp_path / "train").glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            if event.graph_def:
                graphs.append(tf.compat.v1.GraphDef.FromString(event.graph_def))
    (graph,) = graphs
    assert {"Placeholder", "MatMul", "Sigmoid"} <= {node.op for node in graph.node}


@pytest.mark.parametrize("steps_per_execution", ["auto", 2])
@pytest.mark.slow
def test_chosen_steps_are_profiled(make_vae, images, tmp_path, steps_per_execution):
    vae = make_vae(steps_per_execution=steps_per_execution)
    board = VAETensorBoard(tmp_path, images, 0, profile_steps=(8, 9))
    vae.fit(images, batch_size=4, epochs=3, callbacks=[board], verbose=0)
    (profile,) = (tmp_path / "train").rglob("*.xplane.pb")
    assert profile.stat().st_size > 1000


def test_latents_that_are_no_vector_are_not_walked_through(images, tmp_path, read_events, show):
    encoder = keras.Sequential(
        [
            keras.Input((6, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(12),
            tfvae.layers.IndependentNormal((2, 3)),
        ]
    )
    likelihood = tfvae.layers.IndependentBernoulli((6, 4, 1))
    decoder = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(24), likelihood])
    vae = tfvae.models.VAE(encoder, decoder, tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 2))
    vae.compile("sgd")
    show(vae, VAETensorBoard(tmp_path, images, 1))
    events = read_events(tmp_path / "train")
    assert set(events.images) == {"reconstructions", "samples", "posterior_samples"}
    assert "gradient_norm" in events.scalars
    assert "active_units" not in events.scalars
    assert "latents/collapse" in events.text
    assert not (tmp_path / "train" / "latents.tsv").exists()


@pytest.mark.parametrize(
    "content", ["kl_0\n1\n", "epoch,kl_0\nx,1\n", "epoch,kl_0\n1,2,3\n", "epoch\n1" + "0" * 200_000 + "\n"]
)
def test_an_edited_history_is_one_clear_error(tmp_path, content):
    (tmp_path / "latents.csv").write_text(content)
    with pytest.raises(ValueError, match=r"latents\.csv cannot be read: .*Delete it"):
        LatentHistory(tmp_path / "latents.csv").resume(9)
