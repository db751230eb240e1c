"""Pictures and grids of data, pixel by pixel."""

import numpy as np
import pytest

from tfvae import _images

GREY = 128


def numbered(num, height=2, width=3, channels=1):
    """Pictures whose every pixel is the picture's own number."""
    return np.broadcast_to(
        np.arange(1, num + 1, dtype=np.uint8)[:, None, None, None], (num, height, width, channels)
    ).copy()


@pytest.mark.parametrize(
    ("event_shape", "picture_shape"),
    [
        ((5, 3, 1), (5, 3, 1)),
        ((5, 3, 3), (5, 3, 3)),
        ((5, 3, 2), (5, 3, 1)),
        ((5, 3, 4), (5, 3, 1)),
        ((5, 3), (5, 3, 1)),
        ((784,), (28, 28, 1)),
        ((560,), (28, 20, 1)),
        ((13,), (4, 4, 1)),
        ((1,), (1, 1, 1)),
        ((), (1, 1, 1)),
        ((2, 2, 2, 2), (4, 4, 1)),
    ],
)
def test_picture_shape_of_an_event_shape(event_shape, picture_shape):
    picture = _images.to_displayable(np.full((2, *event_shape), 0.5))
    assert picture.shape == (2, *picture_shape)
    assert picture.dtype == np.uint8


def test_values_are_clipped_rounded_and_never_nan():
    values = np.array([[-1.0, 0.0, 0.25, 0.5, 1.0, 7.0, np.nan, np.inf, -np.inf]])
    np.testing.assert_array_equal(_images.to_displayable(values).ravel(), [0, 0, 64, 128, 255, 255, 0, 255, 0])


def test_8_bit_values_stay_and_booleans_are_black_and_white():
    np.testing.assert_array_equal(
        _images.to_displayable(np.array([[0, 1, 200, 255]], np.uint8)).ravel(), [0, 1, 200, 255]
    )
    np.testing.assert_array_equal(_images.to_displayable(np.array([[True, False]])).ravel(), [255, 0])


def test_vectors_fill_rows_first_and_end_in_black():
    picture = _images.to_displayable(np.arange(1, 14, dtype=np.uint8)[None])[0, ..., 0]
    np.testing.assert_array_equal(picture, [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 0, 0, 0]])


def test_first_of_many_channels():
    images = np.stack([np.full((1, 2, 2), 10 * k, np.uint8) for k in range(4)], axis=-1)
    np.testing.assert_array_equal(_images.to_displayable(images)[..., 0], np.zeros((1, 2, 2)))


def test_tile_puts_pictures_in_order_with_grey_between_and_in_empty_cells():
    grid = _images.tile(numbered(3), num_columns=2)
    assert grid.shape == (2 * 2 + 1, 2 * 3 + 1, 1)
    expected = np.full((5, 7), GREY)
    expected[0:2, 0:3], expected[0:2, 4:7], expected[3:5, 0:3] = 1, 2, 3
    np.testing.assert_array_equal(grid[..., 0], expected)


@pytest.mark.parametrize(("num", "columns"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (7, 3), (32, 8), (64, 8)])
def test_tile_is_about_square(num, columns):
    assert _images.tile(numbered(num), padding=0).shape[1] == columns * 3


def test_tile_keeps_colours_and_takes_wide_padding():
    grid = _images.tile(numbered(2, channels=3), num_columns=2, padding=3)
    assert grid.shape == (2, 3 + 3 + 3, 3)
    assert set(np.unique(grid)) == {1, 2, GREY}


def test_beside_alternates_rows():
    grid = _images.beside(numbered(3), numbered(3) + 100, num_columns=2, padding=0)[..., 0]
    np.testing.assert_array_equal(grid[::2, ::3], [[1, 2], [101, 102], [3, GREY], [103, GREY]])


def test_beside_of_one_and_of_32():
    assert _images.beside(numbered(1), numbered(1), padding=0).shape == (4, 3, 1)
    assert _images.beside(numbered(32), numbered(32), padding=0).shape == (8 * 2, 8 * 3, 1)
    assert _images.beside(numbered(7), numbered(7), padding=0).shape == (4 * 2, 4 * 3, 1)
    assert _images.beside(numbered(10), numbered(10), padding=0).shape == (4 * 2, 5 * 3, 1)


def test_errors():
    with pytest.raises(ValueError, match=r"Received: images of shape \(0, 3\)"):
        _images.to_displayable(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"Received: images of shape \(\)"):
        _images.to_displayable(np.float32(1))
    with pytest.raises(ValueError, match="num_columns=0"):
        _images.tile(numbered(2), num_columns=0)
    with pytest.raises(ValueError, match="padding=-1"):
        _images.tile(numbered(2), padding=-1)
    with pytest.raises(ValueError, match="num_columns=-2"):
        _images.beside(numbered(2), numbered(2), num_columns=-2)
    with pytest.raises(ValueError, match=r"same shape.*\(2, 2, 3, 1\) and .*\(3, 2, 3, 1\)"):
        _images.beside(numbered(2), numbered(3))
