"""Ctrl-C counts also where a library swallows it."""

import os
import signal

import pytest

from tfvae.cli.interrupt import Interruptible


def test_a_swallowed_interrupt_is_raised_anew():
    before = signal.getsignal(signal.SIGINT)
    with Interruptible() as interruptible:
        interruptible.on_epoch_end(0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruptible.on_epoch_end(1)
    assert signal.getsignal(signal.SIGINT) is before
