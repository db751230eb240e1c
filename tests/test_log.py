"""What a program sees of the log `tfvae`."""

import logging

import pytest

from tfvae._log import add_fallback_handler


@pytest.fixture
def log():
    add_fallback_handler()
    log = logging.getLogger("tfvae")
    yield log
    log.setLevel(logging.NOTSET)


def test_a_level_is_enough(log, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest listens there
    log.info("unheard")
    log.warning("a warning")
    log.setLevel(logging.INFO)
    log.info("steps run %s XLA", "under")
    logging.getLogger("tfvae.part").info("a part of it")
    captured = capsys.readouterr()
    assert captured.err == "tfvae: a warning\ntfvae: steps run under XLA\ntfvae.part: a part of it\n"
    assert captured.out == ""


@pytest.mark.parametrize("name", [None, "tfvae"])
def test_a_program_that_listens_hears_it_once(log, capsys, monkeypatch, name):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    heard = []

    class Ear(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    ear = Ear()
    logging.getLogger(name).addHandler(ear)
    try:
        add_fallback_handler()  # again changes nothing
        log.setLevel(logging.INFO)
        log.info("once")
    finally:
        logging.getLogger(name).removeHandler(ear)
    assert heard == ["once"]
    assert capsys.readouterr().err == ""
