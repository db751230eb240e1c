"""Files are whole or not there, and what stood in their place survives a failed write."""

import json

import pytest

from tfvae import _files


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.json"
    _files.write_json(path, {"x": [1, None]})
    _files.write_json(path, {"x": 2})
    assert json.loads(path.read_text()) == {"x": 2}
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]


def test_json_that_is_none_changes_nothing(tmp_path):
    path = _files.write_json(tmp_path / "b.json", {"x": 2})
    with pytest.raises(ValueError, match="not JSON compliant"):
        _files.write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 2}


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = _files.write_text(tmp_path / "model.keras", "old")

    def fail():
        with _files.replacing(path) as beside:
            assert beside.suffix == ".keras"
            beside.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


def test_block_that_succeeds_replaces(tmp_path):
    path = _files.write_text(tmp_path / "model.keras", "old")
    with _files.replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"
