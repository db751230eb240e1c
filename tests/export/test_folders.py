"""Folders of exports: of two that are written to one place at once, one gets it."""

import stat
import threading

import pytest

from tfvae.export import folders

KIND = folders.Kind("SavedModel", "export.save", lambda folder: (folder / "saved_model.pb").is_file())


def write(target, content, overwrite=False, before_the_end=lambda: None):
    target = folders.free_target(target, overwrite, KIND)
    with folders.new_folder(target, overwrite, KIND) as new:
        new.mkdir()
        (new / "saved_model.pb").write_text(content)
        before_the_end()


@pytest.mark.parametrize("place", ["new", "empty", "link"])
def test_the_later_of_two_is_refused(tmp_path, place):
    target = tmp_path / "m"
    if place == "empty":
        target.mkdir()
    if place == "link":
        target.symlink_to("there")
    with pytest.raises(ValueError, match=r"already contains a SavedModel"):
        write(target, "second", before_the_end=lambda: write(target, "first"))
    assert (target / "saved_model.pb").read_text() == "first"
    assert target.is_symlink() == (place == "link")
    assert not list(tmp_path.glob(".*"))


def test_a_rename_does_not_replace_what_came_after_the_last_look(tmp_path, monkeypatch):
    look, others = folders.free_target, []

    def look_too_early(path, overwrite, kind):
        found = look(path, overwrite, kind)
        if not others:
            others.append(None)
            write(path, "first")
        return found

    def both():
        with folders.new_folder(tmp_path / "m", False, KIND) as new:
            new.mkdir()
            (new / "saved_model.pb").write_text("second")
            monkeypatch.setattr(folders, "free_target", look_too_early)

    with pytest.raises(ValueError, match="already"):
        both()
    assert (tmp_path / "m" / "saved_model.pb").read_text() == "first"


def test_exactly_one_of_many_threads(tmp_path):
    num, refused = 8, []
    barrier = threading.Barrier(num)

    def run(i):
        try:
            write(tmp_path / "m", str(i), before_the_end=barrier.wait)
        except ValueError:
            refused.append(str(i))

    threads = [threading.Thread(target=run, args=[i]) for i in range(num)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == num - 1
    assert (tmp_path / "m" / "saved_model.pb").read_text() not in refused


def test_overwriting_keeps_the_mode_and_leaves_what_is_no_model(tmp_path):
    target = tmp_path / "m"
    write(target, "old")
    target.chmod(0o750)
    write(target, "new", overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    assert (target / "saved_model.pb").read_text() == "new"

    def put_something_else_there():
        (target / "saved_model.pb").rename(target / "thesis.tex")

    with pytest.raises(ValueError, match="neither empty nor a SavedModel, so it is not replaced"):
        write(target, "newer", overwrite=True, before_the_end=put_something_else_there)
    assert (target / "thesis.tex").read_text() == "new"


def test_places_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    for name, words in (("loop", "is a symbolic link to itself"), ("file", "is a file"), ("file/m", "is not a folder")):
        with pytest.raises(ValueError, match=words):
            folders.free_target(tmp_path / name, True, KIND)
