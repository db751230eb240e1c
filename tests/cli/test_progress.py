"""Tests of the time that `tfvae train` says is left."""

import io

from rich.console import Console

from tfvae.cli import progress


def test_time_that_is_left_does_not_count_the_first_epoch(monkeypatch):
    """The first epoch compiles: 100 s here, and 2 s each later one."""
    clock = clock_by_hand(monkeypatch)
    console = Console(file=io.StringIO(), width=200)
    bar = progress.TrainingProgress(console, num_examples=10)
    bar.set_params({"epochs": 40, "steps": 1})
    with bar:
        bar.on_train_begin()
        for epoch in range(40):
            bar.on_epoch_begin(epoch)
            clock.now += 100.0 if epoch == 0 else 2.0
            bar.on_epoch_end(epoch, {"elbo": -1.0})
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "about 76 s of training"
    assert lines[1].startswith("epoch 4/40 ")
    assert lines[1].endswith("  left 72 s")
    assert lines[-1].endswith("  left 0 s")


def clock_by_hand(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock
