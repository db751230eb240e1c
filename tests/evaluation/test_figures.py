"""Figures of a report: what stands on their axes."""

import matplotlib.image
import numpy as np
import pytest
from gaussian_vaes import gaussian_vae
from linear_gaussian import make_linear_gaussian

from tfvae._display import Display
from tfvae.evaluation import figures
from tfvae.evaluation._image_figures import image_figure
from tfvae.evaluation.latent_map import principal_plane

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
X = MODEL.data(60, seed=3).astype("float32")


@pytest.fixture(scope="module")
def vae():
    return gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.9, 0.9]))


def words(figure):
    return "" if figure._supxlabel is None else figure._supxlabel.get_text()


def test_epochs_are_whole_numbers():
    curves = {name: [-3.0, -2.0, -1.0] for name in ("elbo", "log_likelihood", "kl")}
    figure = figures.training_curves({"epoch": [0, 1, 2], **curves})
    figure.canvas.draw()
    for axes in figure.axes:
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_rows_of_a_table_are_bars_with_names_and_reconstructions_marks(vae):
    display = Display.of(X, names=["age", "height", "weight", "dose"])
    figure = figures.reconstructions(vae, X[:5], display=display)
    panels = [axes for axes in figure.axes if axes.patches]
    assert len(panels) == 5
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["age", "height", "weight", "dose"]
    np.testing.assert_allclose([bar.get_height() for bar in panels[2].patches], X[2], rtol=1e-6)
    np.testing.assert_allclose(panels[2].lines[0].get_ydata(), vae.reconstruct(X[:5], seed=0)[2], rtol=1e-5)
    assert "age, height, weight, dose; bottom to top" in words(figure)


def test_draws_of_a_table_are_densities_a_column(vae):
    figure = figures.prior_samples(vae, data=X)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["0", "1", "2", "3"]
    for column, axes in enumerate(panels):
        data, model = (patch.get_data() for patch in axes.patches)
        assert data.values.sum() == pytest.approx(1)
        assert model.values.sum() == pytest.approx(1)
        assert (data.edges[0], data.edges[-1]) == pytest.approx((X[:, column].min(), X[:, column].max()))


def test_draws_of_long_rows_without_names_are_lines():
    model = make_linear_gaussian(latent_size=2, data_size=50, sigma=0.9)
    vae = gaussian_vae(model, 0.8 * model.posterior_weights, np.zeros(2), np.full(2, 0.9))
    x = model.data(20, seed=3).astype("float32")
    panels = [axes for axes in figures.prior_samples(vae, num_samples=3, data=x).axes if axes.lines]
    assert [len(axes.lines[0].get_ydata()) for axes in panels] == [50] * 3
    named = figures.prior_samples(vae, num_samples=3, data=x, display=Display.of(x, [f"column {i}" for i in range(50)]))
    assert sum(axes.get_title().startswith("column ") for axes in named.axes) == 30


def test_grays_have_a_bar_and_images_in_the_unit_interval_none():
    x = np.random.default_rng(0).uniform(-80, 0, (6, 12, 10, 1))
    display, plain = Display.of(x), Display.of(x / 80 + 1)
    figure = image_figure(display.pictures(x)[0], "title", display)
    assert len(figure.axes) == 2
    assert figure.axes[1].get_ylim() == pytest.approx((x.min(), x.max()))
    assert len(image_figure(plain.pictures(x / 80 + 1)[0], "title", plain).axes) == 1


def test_very_tall_pictures_have_a_sensible_size():
    width, height = image_figure(np.zeros((4545, 30, 1), np.uint8), "").get_size_inches()
    assert (width, height) == (8.0, 14.5)


def test_the_plane_of_more_dimensions_and_of_fewer():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(500, 5)) * [3.0, 0.1, 0.1, 2.0, 0.1] + 1
    plane = principal_plane(means)
    assert abs(plane.axes[0][0]) == pytest.approx(means[:, 0].std(ddof=1), rel=0.02)
    assert abs(plane.axes[1][3]) == pytest.approx(means[:, 3].std(ddof=1), rel=0.02)
    np.testing.assert_allclose(plane.point(np.zeros((1, 2)))[0], means.mean(axis=0))
    single = principal_plane(means[:1])
    np.testing.assert_array_equal(single.axes, np.eye(2, 5))
    np.testing.assert_array_equal(principal_plane(means[:, :1]).axes[1], [0.0])
    assert principal_plane(np.ones((4, 3))).shares == ()


def test_latents_of_more_than_two_dimensions_are_shown_twice(tmp_path):
    model = make_linear_gaussian(latent_size=3, data_size=4, sigma=0.9)
    vae = gaussian_vae(model, 0.8 * model.posterior_weights, np.zeros(3), np.full(3, 0.9))
    x = model.data(40, seed=3).astype("float32")
    figure = figures.latent_scatter(vae, x, np.arange(40) % 3 - 1, class_names=("cat", "d" * 50))
    texts = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert texts == ["unknown", "cat", "d" * 30 + "..."]
    assert len(figure.axes) == 2
    assert sum(len(part.get_offsets()) for part in figure.axes[1].collections) == 40
    assert len(figures.latent_scatter(vae, x[:1]).axes) == 1
    figure = figures.manifold(vae, x, num_steps=3)
    figure.savefig(tmp_path / "manifold.png")
    assert matplotlib.image.imread(tmp_path / "manifold.png").std() > 0.02
    with pytest.raises(ValueError, match="two latent dimensions"):
        figures.manifold(vae)
