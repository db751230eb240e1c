"""One process with several replicas: the run of one device, with noise of each replica's own."""

import numpy as np
import pytest
import replicas
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    with replicas.Processes(replicas.mirrored, folder) as processes:
        (found,) = processes.results()
    return {**found, "logs": folder / "logs"}


def test_replicas_make_the_run_of_one_device(mirrored):
    """With weights, a schedule of beta, clipped gradients, a regulariser, and batches smaller than the replicas."""
    replicas.assert_same_run(mirrored["arrays"], replicas.fit_arrays(epochs=2))


def test_tensorboard_shows_replicas_as_one_model(mirrored):
    tags = EventAccumulator(str(mirrored["logs"] / "train")).Reload().Tags()["tensors"]
    assert {"elbo", "gradient_norm", "active_units", "reconstructions", "traversals", "latents/heat_map"} <= set(tags)
    rows = (mirrored["logs"] / "latents.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]


def test_replicas_draw_noise_of_their_own(mirrored):
    before, (drawn, first, second, state, dropout_state) = mirrored["noise"]
    assert len(drawn) == 2
    assert not np.intersect1d(drawn[0], drawn[1]).size
    masks = [*first, *second]  # of two replicas, twice
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert (mask != other).any()
    for start, after, num_draws in ((before[0], state, 1), (before[1], dropout_state, 3)):
        for value in after:
            np.testing.assert_array_equal(value, [start[0], num_draws])


def test_a_bad_example_stops_all_replicas_at_its_step(mirrored):
    assert mirrored["non-finite"] == ("kl", 3)
    assert "IndependentBernoulli requires x in [0, 1], but a training batch, at or before step 6" in mirrored["outside"]


@pytest.mark.slow
def test_the_rest(tmp_path):
    with replicas.Processes(replicas.mirrored_more, tmp_path) as processes:
        (found,) = processes.results()
    replicas.assert_same_run(found["split"], replicas.fit_split())
    replicas.assert_same_run(found["two phases"], replicas.fit_two_phases())
    for first, second in found["batch normalisation"]:  # replicas' statistics too are one
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(found["single batches, both"], found["single batches, one"], rtol=1e-5)
    for a, b in zip(found["service"], found["direct"], strict=True):
        np.testing.assert_array_equal(a, b)
    (one, one_scale), (both, both_scale) = found["float16, one"], found["float16, both"]
    assert one_scale == both_scale
    for a, b in zip(both, one, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-3)  # half precision: 11 bits
