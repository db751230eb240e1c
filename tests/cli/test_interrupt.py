"""Ctrl-C counts also where a library swallows it, and lets a step of training finish."""

import os
import signal

import pytest

from tfvae.cli.interrupt import Interruptible


def test_a_swallowed_interrupt_is_raised_anew():
    before = signal.getsignal(signal.SIGINT)
    with Interruptible() as interruptible:
        interruptible.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        for check in (interruptible.check, interruptible.on_train_begin):
            with pytest.raises(KeyboardInterrupt):
                check()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_in_training_is_remembered(capfd):
    with Interruptible() as interruptible:
        interruptible.on_train_begin()
        os.kill(os.getpid(), signal.SIGINT)
        assert interruptible.requested
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # the second one ends the process
    assert "Saving a checkpoint" in capfd.readouterr().err
