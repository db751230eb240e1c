"""Curves that are stopped and go on, with a learner that can be followed by hand."""

import json

import numpy as np
import pytest

from tfvae.papers import curves, provenance
from tfvae.papers.curves import Pilots, decades, trained_curve
from tfvae.papers.job import Job


class Counting:
    """Its "model" is a number that grows with each sample by the learning rate, and shrinks by its own square."""

    def __init__(self):
        self.vae = 0.0
        self.learning_rate = None
        self.advanced = []

    def diagnostics(self):
        return {"rate_used": self.learning_rate}

    def restart(self, learning_rate):
        self.vae, self.learning_rate = 0.0, learning_rate

    def advance(self, num_samples):
        self.advanced.append(num_samples)
        for _ in range(num_samples):
            self.vae = self.vae + self.learning_rate - 0.01 * self.vae**2

    def save(self, folder):
        (folder / "state").write_text(f"{self.vae!r}")

    def load(self, folder):
        self.vae = float((folder / "state").read_text())


SETTINGS = {"at": [5, 20, 40], "setup": {"size": 3}, "most_unsaved": 10}


def curve(folder, make=Counting, measure=lambda vae: {"value": vae}, rates=(0.1, 1.0, 30.0), seed=0, **changes):
    pilots = Pilots(rates, 2, lambda vae: -abs(vae - 1.9))
    lines = []
    settings = {**SETTINGS, **changes}
    return trained_curve(Job(folder, seed, lines.append), "c", make, measure, pilots=pilots, **settings), lines


def test_decades_are_even_in_their_logarithm():
    assert decades(100, 10_000, 2, 10) == [100, 320, 1_000, 3_160, 10_000]
    assert decades(10_000, 30_000, 1, 500) == [10_000, 30_000]
    assert decades(10_000, 10_000, 6, 500) == [10_000]


def test_best_rate_is_taken_from_the_first_weights(tmp_path):
    found, lines = curve(tmp_path)
    expected = Counting()
    expected.restart(1.0)
    values = []
    for count in (5, 15, 20):
        expected.advance(count)
        values.append(expected.vae)
    assert found.learning_rate == 1.0
    assert set(found.rates) == {"0.1", "1", "30"}
    assert found.column("samples") == [5, 20, 40]
    assert found.column("value") == values
    assert found.column("rate_used") == [1.0] * 3
    assert "c: learning rate 1" in lines
    assert any(line.startswith("c: 20 of 40 samples, value ") for line in lines)
    assert {"machine", "finished", "packages", "seconds"} <= set(found.made)
    assert all(found.made["seconds"][kind] >= 0.0 for kind in ("pilots", "training", "measuring"))
    assert (found.folder / "state").read_text() == repr(values[-1])
    assert [path.name for path in (tmp_path / "c").iterdir() if path.is_dir()] == ["state-40"]


def test_all_machines_and_commits_that_trained_a_curve_are_named(tmp_path, monkeypatch):
    class Stopped(Counting):
        def advance(self, num_samples):
            super().advance(num_samples)
            if len(self.advanced) == 3 + 3:  # after the three pilots
                raise KeyboardInterrupt

    def at(machine, commit):
        monkeypatch.setattr(provenance, "_here", lambda: {"machine": machine, "commit": commit})

    at("A", "c1")
    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path, make=Stopped)
    at("B", None)  # an installed package
    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path, make=lambda: (stopped := Stopped()).advanced.extend([0] * 3) or stopped)
    at("A", "c2")
    found, _ = curve(tmp_path)
    assert (found.made["machine"], found.made["commit"]) == ("A; B", "c1; c2")
    assert provenance.of_numbers({"curve": found.to_dict()})["machine"] == "A; B"


def test_nothing_is_done_twice(tmp_path):
    first, _ = curve(tmp_path)
    again, lines = curve(tmp_path, make=None)  # nobody asks for a learner
    assert again == first
    assert lines == ["c: already done"]


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
def test_goes_on_where_it_was_stopped(tmp_path, calls):
    class Stopped(Counting):
        def advance(self, num_samples):
            super().advance(num_samples)
            if len(self.advanced) == 3 + calls:  # after the three pilots
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path / "stopped", make=Stopped)
    made = []
    going_on, _ = curve(tmp_path / "stopped", make=lambda: made.append(Counting()) or made[0])
    whole, _ = curve(tmp_path / "whole")
    assert going_on.points == whole.points
    assert made[0].advanced == [5, 10, 5, 10, 10][calls - 1 :]  # neither pilots nor what was saved


@pytest.mark.parametrize("whole_record", [False, True])
def test_a_kill_while_it_saves_loses_nothing(tmp_path, monkeypatch, whole_record):
    real, calls = curves.write_json, []

    def killed(path, record):
        calls.append(record["samples"])
        if record["samples"] == 15:
            if whole_record:
                real(path, record)  # ... but the states before are still there
            raise KeyboardInterrupt
        return real(path, record)

    monkeypatch.setattr(curves, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path / "killed")
    monkeypatch.setattr(curves, "write_json", real)
    assert len(list((tmp_path / "killed" / "c").glob("state-*"))) == 2
    going_on, _ = curve(tmp_path / "killed")
    assert going_on.points == curve(tmp_path / "whole")[0].points
    assert [path.name for path in (tmp_path / "killed" / "c").glob("state-*")] == ["state-40"]


def test_numbers_that_are_not_finite_are_none_in_the_file_and_nan_to_those_who_read(tmp_path):
    found, _ = curve(tmp_path, measure=lambda vae: {"value": np.inf, "more": {"inner": np.nan}})
    assert np.isnan(found.column("value")).all()
    assert json.loads((tmp_path / "c" / "curve.json").read_text())["points"][0]["value"] is None
    assert found.to_dict()["points"][0]["more"] == {"inner": None}


def test_no_rate_is_taken_where_all_diverge(tmp_path):
    pilots = Pilots((1.0, 2.0), 2, lambda vae: np.nan)
    with pytest.raises(ValueError, match="c: training diverges with every learning rate"):
        trained_curve(Job(tmp_path, 0), "c", Counting, lambda vae: {"value": vae}, pilots=pilots, **SETTINGS)


def test_two_processes_do_not_train_one_curve(tmp_path):
    class Curious(Counting):
        def advance(self, num_samples):
            super().advance(num_samples)
            with pytest.raises(ValueError, match="Another process is training"):
                curve(tmp_path)  # a second opening of the folder is refused as another process's is

    curve(tmp_path, make=Curious)


def test_pilots_that_were_tried_are_not_tried_again(tmp_path):
    class Stopped(Counting):
        def restart(self, learning_rate):
            if learning_rate == 30.0:
                raise KeyboardInterrupt
            super().restart(learning_rate)

    with pytest.raises(KeyboardInterrupt):
        curve(tmp_path, make=Stopped)
    made = []
    curve(tmp_path, make=lambda: made.append(Counting()) or made[0])
    assert made[0].advanced == [2, 5, 10, 5, 10, 10]


def test_a_rate_whose_score_is_not_finite_is_not_taken(tmp_path):
    pilots = Pilots((1.0, 2.0), 2, lambda vae: np.nan if vae > 3 else -5.0)
    job = Job(tmp_path, 0)
    found = trained_curve(job, "c", Counting, lambda vae: {"value": vae}, pilots=pilots, **SETTINGS)
    assert (found.learning_rate, found.rates) == (1.0, {"1": -5.0, "2": None})
    json.loads((tmp_path / "c" / "curve.json").read_text())


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"setup": {"size": 4}}, {"at": [5, 20, 41]}, {"rates": (0.1,)}, {"most_unsaved": 11}]
)
def test_another_set_up_is_refused_and_nothing_lost(tmp_path, changes):
    curve(tmp_path)
    before = (tmp_path / "c" / "curve.json").read_bytes()
    with pytest.raises(ValueError, match=r"trained with other settings .* another --run-dir"):
        curve(tmp_path, **changes)
    assert (tmp_path / "c" / "curve.json").read_bytes() == before
