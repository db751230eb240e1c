"""Files are whole or not there, and what stood in their place survives a failed write."""

import json
import os
import stat
from pathlib import Path

import pytest

from tfvae import _files
from tfvae._npz import NpzWriter
from tfvae._targets import expanded, output_file, output_folder, require_space, size_text


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


# What a path may lead to ----------------------------------------------------------------------------------------------


def test_links_stay_and_what_they_lead_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "data.txt"
    target.write_text("old")
    target.chmod(0o640)
    for name, to in (("a", target), ("b", tmp_path / "a"), ("c", "there/new.txt")):
        (tmp_path / name).symlink_to(to)
    assert _files.write_text(tmp_path / "b", "new") == tmp_path / "b"
    _files.write_text(tmp_path / "c", "made")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert (tmp_path / "there" / "new.txt").read_text() == "made"
    assert all((tmp_path / name).is_symlink() for name in "abc")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c", "data.txt", "new.txt", "there"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the administrator may give files away")
def test_the_owner_stays(tmp_path):
    path = _files.write_text(tmp_path / "x", "old")
    os.chown(path, 12345, 23456)
    path.chmod(0o4755)
    _files.write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (12345, 23456, 0o4755)


@pytest.mark.parametrize("write", [_files.write_text, NpzWriter], ids=["text", "npz"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is a device, a pipe or a socket"),
        (lambda path: path.symlink_to("/dev/null"), "is a device"),
        (lambda path: path.symlink_to(path), "is a symbolic link to itself"),
        (lambda path: path.symlink_to("/dev/stdout"), "is not on a disk"),
        (lambda path: path.symlink_to(path.parent / "no" / "such" / "\udcff"), None),
    ],
)
def test_what_is_no_file_is_refused_and_left(tmp_path, make, words, write):
    path = tmp_path / "x"
    make(path)
    before = os.lstat(path)
    if words is None:  # a new name, however strange
        output_file(path)
        return
    with pytest.raises(ValueError, match=words) as refused:
        write(path, *(["new"] if write is _files.write_text else []))
    assert "\n" not in str(refused.value)
    assert os.lstat(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_places_where_nothing_can_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    for check in (output_file, output_folder):
        with pytest.raises(ValueError, match="file: it is not a folder"):
            check(tmp_path / "file" / "a" / "b.npz")
        with pytest.raises(ValueError, match=r"cannot be written: File name too long") as refused:
            check(tmp_path / ("x" * 5000))
        assert len(str(refused.value)) < 1000
    with pytest.raises(ValueError, match="is not a folder"):
        output_folder(tmp_path / "file")
    (tmp_path / "link").symlink_to("new")
    assert output_folder(tmp_path / "link") == tmp_path / "new"


def test_paths_that_cannot_be_expanded():
    assert expanded("~") == Path.home()
    for path in ("~nosuchuser/x.npz", "a\0b"):
        with pytest.raises(ValueError, match="is not a path"):
            expanded(path)


def test_more_than_fits_on_the_disk_is_refused(tmp_path):
    require_space(tmp_path / "new" / "x.npz", 1000)
    with pytest.raises(ValueError, match=r"x.npz would need 9,300,000.0 TB, but .* free"):
        require_space(tmp_path / "new" / "x.npz", 93 * 10**17)
    assert [size_text(n) for n in (5, 1400, 10**9)] == ["5 bytes", "1.4 kB", "1.0 GB"]
