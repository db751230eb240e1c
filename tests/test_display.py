"""What an example is taken for, and the pictures that are made of it, pixel by pixel."""

import numpy as np
import pytest

from tfvae import _images, _plots
from tfvae._display import Display
from tfvae._kinds import kind_of

RED = _plots.NOT_FINITE


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("event_shape", "kind"),
    [
        ((28, 28, 1), "image"),
        ((28, 20), "image"),
        ((8, 8), "image"),
        ((28, 28), "image"),
        ((16, 16, 5), "image"),
        ((6, 10, 3), "image"),
        ((128, 80), "image"),  # a spectrogram
        ((64, 3), "series"),
        ((64, 3, 1), "series"),
        ((4545, 1), "series"),
        ((1, 200), "series"),
        ((200, 1, 4), "series"),
        ((24, 7), "series"),
        ((1000, 12), "series"),
        ((13,), "table"),
        ((90,), "table"),
        ((784,), "table"),
        ((), "table"),
        ((12, 16, 16, 1), "volume"),
        ((2, 2, 2, 2, 2), "table"),
    ],
)
def test_kind(event_shape, kind):
    assert kind_of(event_shape) == kind


@pytest.mark.parametrize(
    ("size", "kind"), [(784, "image"), (560, "image"), (64, "image"), (13, "table"), (90, "table")]
)
def test_flattened_images_are_images_where_their_values_are_those_of_images(size, kind):
    assert kind_of((size,), in_unit_interval=True) == kind
    assert Display.of(np.linspace(0, 1, 2 * size).reshape(2, size)).kind == kind


@pytest.mark.parametrize("shape", [(5, 8, 8, 1), (5, 28, 20), (5, 6, 4, 3), (5, 784)])
def test_images_in_the_unit_interval_and_8_bit_images_stay_as_they_are(rng, shape):
    x = rng.random(shape).astype("float32")
    for images in (x, (255 * x).astype("uint8")):
        display = Display.of(images)
        np.testing.assert_array_equal(display.pictures(images), _images.to_displayable(images))
        assert not display.caption()
        assert not display.has_color_bar
    np.testing.assert_array_equal(Display.of(x).pictures(1.5 - 2 * x), _images.to_displayable(1.5 - 2 * x))  # clipped


def test_other_ranges_are_black_to_white_and_say_so(rng):
    x = rng.uniform(-80, 0, size=(6, 12, 10, 1))
    x[0, 0, 0], x[1, 2, 3] = -80, 0
    display = Display.of(x)
    pictures = display.pictures(x)
    assert (pictures[0, 0, 0], pictures[1, 2, 3]) == (0, 255)
    np.testing.assert_allclose(pictures, 255 * (x + 80) / 80, atol=0.51)
    assert display.has_color_bar
    assert "black to white: -80 to 0" in display.caption()
    assert Display.of(x / 1e6 + 1e-4).pictures(x / 1e6 + 1e-4).std() > 20  # not black


def test_a_far_outlier_does_not_hide_the_rest(rng):
    x = rng.normal(size=(20, 12, 10, 1))
    x[3, 3, 3] = 1e6
    pictures = Display.of(x).pictures(x)
    assert pictures[:3].std() > 20
    assert pictures[3, 3, 3] == 255


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(4, 8, 8, 1), (4, 8, 8, 3), (4, 8, 8, 5), (4, 30, 3), (4, 13), (4, 200)])
def test_what_is_not_finite_is_red(rng, shape, value):
    x = rng.random(shape)
    clean = Display.of(x).pictures(x)
    x[2].flat[5] = value
    pictures = Display.of(x).pictures(x)
    assert pictures.shape[-1] == 3
    is_red = (pictures == RED).all(axis=-1)
    assert is_red[2].any()
    assert not is_red[[0, 1, 3]].any()
    # What is red in one grid stands beside what is gray in another.
    assert _images.beside(clean, pictures).shape[-1] == 3


def test_bands_have_panels(rng):
    x = rng.random((3, 4, 6, 5)) * [1.0, 100.0, 1.0, 1.0, 1.0]
    display = Display.of(x)
    pictures = display.pictures(x)
    assert pictures.shape == (3, 2 * 4 + 1, 3 * 6 + 2, 1)
    first = (x[..., 1] - display.low[1]) / (display.high[1] - display.low[1])
    np.testing.assert_allclose(pictures[:, :4, 7:13, 0], 255 * first, atol=0.51)
    assert "One panel per band, row by row: 0, 1, 2, 3, 4" in display.caption()
    assert "each with its own range: 0: " in display.caption()
    many = Display.of(rng.random((2, 4, 4, 30)))
    assert "(of 30)" in many.caption()
    volume = Display.of(rng.random((2, 7, 4, 4, 1)))
    assert volume.caption().startswith("One panel per slice, row by row: 0, 1, 2, 3, 4, 5, 6")


def test_the_page_is_told_where_each_value_lies(rng):
    x = rng.random((1, 4, 6, 5))
    (height, width, channels), pixels = Display.of(x).layout()
    values = np.append(x.ravel(), 128 / 255)  # -1 is the gap
    shown = np.rint(255 * values[pixels]).reshape(1, height, width, channels)
    np.testing.assert_array_equal(shown, Display.of(x).pictures(x))
    assert Display.of(rng.random((1, 784))).layout() == ((28, 28, 1), None)


def test_series_are_lines_a_channel(rng):
    t = np.linspace(0, 1, 48)
    x = np.stack([t, 1 - t], axis=-1)[np.newaxis].repeat(3, axis=0) * 20 - 5
    display = Display.of(x)
    assert display.caption() == "One line per channel (0, 1); bottom to top: -5 to 15."
    (picture, *_) = display.pictures(x)
    assert picture.shape == (_plots.HEIGHT, _plots.WIDTH, 3)
    for channel, (start, end) in enumerate([(61, 1), (1, 61)]):
        color = _plots.COLORS[channel]
        near = np.abs(picture.astype(float) - color).sum(axis=-1)
        assert abs(near[:, 0].argmin() - start) <= 2
        assert abs(near[:, -1].argmin() - end) <= 2


def test_no_peak_of_a_long_series_is_left_out():
    x = np.zeros((1, 5000, 1))
    x[0, 2345] = 10.0
    (picture,) = Display.of(np.concatenate([x, -x])).pictures(x)
    assert (picture[:3] < 128).any()  # at the top
    assert picture.shape == (_plots.HEIGHT, _plots.WIDTH, 3)


def test_tables_are_bars_a_column_with_scales_of_their_own_where_units_differ():
    x = np.array([[1.0, 2000.0, 5.0], [3.0, 3000.0, 5.0], [2.0, 2500.0, 5.0]])
    display = Display.of(x, names=["age", "income", "kind"])
    np.testing.assert_array_equal(np.stack([display.low, display.high], axis=1), [[1, 3], [2000, 3000], [4, 6]])
    pictures = display.pictures(x)
    blue = (pictures == _plots.COLORS[0].astype(np.uint8)).all(axis=-1)
    column = pictures.shape[2] // 3
    heights = [[blue[i, :, column * j + column // 2].sum() / _plots.HEIGHT for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(heights, [[0, 0, 0.5], [1, 1, 0.5], [0.5, 0.5, 0.5]], atol=0.06)
    assert "from left to right: age, income, kind" in display.caption()
    assert "income: 2000 to 3000" in display.caption()
    with pytest.raises(ValueError, match=r"Expected 3 names\. Received: 2 names"):
        Display.of(x, names=["a", "b"])


def test_bars_of_one_unit_begin_at_nought():
    x = np.array([[1.0, -1.0], [-0.5, 0.5]])
    display = Display.of(x)
    np.testing.assert_array_equal(display.bar_base, 0.5)
    blue = (display.pictures(x) == _plots.COLORS[0].astype(np.uint8)).all(axis=-1)
    up, down = blue[0, :, 24], blue[0, :, 72]
    assert up[1:31].all()
    assert not up[34:].any()
    assert down[34:62].all()
    assert not down[:30].any()


def test_tall_pictures_make_wide_grids(rng):
    grid = _images.tile(rng.random((20, 600, 16, 1)))
    assert grid.shape[0] <= 2 * grid.shape[1]
    assert _images.tile(rng.random((20, 16, 16, 1))).shape[:2] == (4 * 17 - 1, 5 * 17 - 1)


def test_missing_values_are_gray_where_others_are_red():
    image = np.random.default_rng(0).uniform(size=(2, 4, 4, 1))
    image[0, 1, 2] = np.nan
    table = image.reshape(2, 16)
    for x in (image, table):
        display = Display.of(x)
        red, gray = display.pictures(x), display.pictures(x, missing=True)
        is_red = (red == [214, 39, 40]).all(axis=-1)
        assert is_red[0].any()
        assert not is_red[1].any()
        np.testing.assert_array_equal(gray, np.where(is_red[..., np.newaxis], np.uint8(128), red))
