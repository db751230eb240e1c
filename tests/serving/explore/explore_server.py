"""Runs to explore, made without all that training writes, and a server for their page in a thread."""

import contextlib
import socket
import threading
import time

import numpy as np
import uvicorn
from fastapi import FastAPI

from tfvae.serving.explore import add_explore
from tfvae.training.build import build_vae
from tfvae.training.config import RunConfig
from tfvae.training.load_data import load_data
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder


def make_run(path, settings, epochs=None):
    """A run folder with what exploring needs of one: its configuration and a model, trained or with random weights."""
    config = RunConfig.from_dict(settings)
    splits = load_data(config)
    config = resolve(config, splits)
    vae = build_vae(config, splits)
    if epochs is None:
        rng = np.random.default_rng(3)  # of which the digits' posterior means lie about the origin
        for variable in vae.trainable_variables:
            if variable.path.endswith("kernel"):
                variable.assign_add(0.3 * rng.normal(size=variable.shape))
        vae.optimizer.build(vae.trainable_variables)
    else:
        vae.fit(RunData(config, splits).train().x, epochs=epochs, batch_size=100, verbose=0)
    folder = RunFolder(path)
    folder.claim(config.to_toml())
    vae.save(folder.model)
    return path


@contextlib.contextmanager
def serving(explored):
    """The page of a model on a free port of this machine; gives its address."""
    # The protocol by its number: without it asyncio does not turn off Nagle's algorithm, and each answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(add_explore(FastAPI(), explored), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
