"""What is said of curves, on curves made up so that it does or does not hold."""

from pathlib import Path

import pytest

from tfvae.papers import burda_2016
from tfvae.papers.curves import Curve
from tfvae.papers.kingma_welling_2013 import figure_2
from tfvae.papers.kingma_welling_2013.appendix_f import _claim as claim_of_appendix_f
from tfvae.papers.kingma_welling_2013.figure_3 import _claims as claims_of_figure_3
from tfvae.papers.kingma_welling_2013.figure_3 import _figure as picture_of_figure_3
from tfvae.papers.kingma_welling_2013.figure_3 import _table as table_of_figure_3

NAN = float("nan")
SAMPLES = [10_000, 100_000, 1_000_000]


def made_up(train, test, samples=SAMPLES):
    points = [
        {"samples": number, "train": a, "test": b, "train_standard_error": 0.5, "test_standard_error": 0.6}
        for number, a, b in zip(samples, train, test, strict=True)
    ]
    return Curve(points, 0.02, 12.0, {"0.02": -1.0}, Path("nowhere"))


def panel(aevb_train, aevb_test, sleep=(-200, -150, -120)):
    return {"aevb": made_up(aevb_train, aevb_test), "wake_sleep": made_up(sleep, sleep)}


GOOD = panel((-300, -120, -100), (-300, -121, -102))


def test_above_counts_from_a_hundred_thousand_samples():
    claim = figure_2._higher_claim({3: GOOD})
    assert claim.holds
    assert "18.00 nats (N_z = 3, test, 1,000,000 samples)" in claim.evidence
    crossed = panel((-300, -120, -100), (-300, -151, -102))
    claim = figure_2._higher_claim({3: GOOD, 5: crossed})
    assert not claim.holds
    assert "-1.00 nats (N_z = 5, test, 100,000 samples)" in claim.evidence


def test_above_does_not_overlook_numbers_that_are_not_finite():
    claim = figure_2._higher_claim({3: panel((-300, NAN, -100), (-300, -121, -102))})
    assert not claim.holds
    assert "-inf nats (N_z = 3, train, 100,000 samples)" in claim.evidence


def test_above_of_short_curves_counts_at_their_end():
    short = {name: made_up((-9, -5), (-9, -5), [10, 20]) for name in ("aevb", "wake_sleep")}
    assert not figure_2._higher_claim({3: short}).holds
    short["wake_sleep"] = made_up((-8, -6), (-8, -6), [10, 20])
    assert figure_2._higher_claim({3: short}).holds


def test_sooner():
    claim = figure_2._faster_claim({3: GOOD})
    assert claim.holds is False  # -121 after 100,000 samples is not yet wake-sleep's best -120
    assert "1.0 (N_z = 3)" in claim.evidence
    claim = figure_2._faster_claim({3: panel((-300, -110, -100), (-300, -110, -100))})
    assert claim.holds
    assert "10.0 (N_z = 3)" in claim.evidence
    fallen = figure_2._faster_claim({3: panel((-300, -160, -140), (-300, -160, -140), sleep=(-200, -120, -150))})
    assert fallen.holds is False  # above wake-sleep's last bound, never above its best
    never = figure_2._faster_claim({3: panel((-300, -130, -125), (-300, -130, -125))})
    assert never.holds is False
    assert "AEVB never reached it (N_z = 3)" in never.evidence


@pytest.mark.parametrize(
    ("train", "test", "holds"),
    [
        ((-300, -110, -100), (-300, -111, -102), True),
        ((-300, -110, -100), (-300, -100.5, -102), False),  # falls from its best
        ((-300, -110, -98), (-300, -111, -102), False),  # a larger gap than with fewer latents
    ],
)
def test_no_overfitting(train, test, holds):
    claim = figure_2._no_overfitting_claim({3: GOOD, 200: panel(train, test)}, 200)
    assert claim.holds is holds


def test_one_panel_says_nothing_of_superfluous_latents():
    assert len(figure_2._claims({2: GOOD})) == 2
    assert len(figure_2._claims({2: GOOD, 10: GOOD})) == 3


def test_figure_2s_table_and_picture():
    assert "| 3 | AEVB | 0.02 | -100.00 ± 0.50 | -102.00 ± 0.60 |" in figure_2._table({3: GOOD})
    assert len(figure_2._figure({3: GOOD, 5: GOOD}).axes) == 2
    diverged = panel((-300, -120, NAN), (-300, -121, NAN))
    assert len(figure_2._figure({3: GOOD, 5: diverged}).axes) == 2
    assert "| 5 | AEVB | 0.02 | nan ± 0.50 |" in figure_2._table({3: GOOD, 5: diverged})


@pytest.mark.parametrize(
    ("few", "many", "expected"),
    [
        (-150, -160, [True, True]),
        (-150, -140, [False, False]),
        (-160, -160, [True, False]),
        (-149.5, -149.5, [True, False]),  # level with both
    ],
)
def test_figure_3s_claims(few, many, expected):
    def algorithms(last):
        ours = made_up((-300, -200, -145), (-300, -200, -149))
        return {"aevb": ours, "wake_sleep": ours, "mcem": made_up((-300, -210, last), (-300, -210, last))}

    panels = {1_000: algorithms(few), 50_000: algorithms(many)}
    assert [claim.holds for claim in claims_of_figure_3(panels)] == expected
    assert len(picture_of_figure_3(panels).axes) == 2
    assert "| 50,000 | Monte Carlo EM |" in table_of_figure_3(panels)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("algorithm", ["aevb", "mcem"])
def test_figure_3s_claims_do_not_overlook_numbers_that_are_not_finite(algorithm, number):
    values = {"aevb": [-300, -200, -149], "wake_sleep": [-300, -200, -149], "mcem": [-300, -210, -160]}
    values[algorithm][number] = NAN
    panels = {size: {name: made_up(column, column) for name, column in values.items()} for size in (1_000, 50_000)}
    assert not claims_of_figure_3(panels)[0].holds
    assert len(picture_of_figure_3(panels).axes) == 2


def test_appendix_fs_claim():
    def pair(map_test, variational_test):
        return {
            kind: made_up((-9, -9, value), (-9, -9, value))
            for kind, value in (("map", map_test), ("variational", variational_test))
        }

    assert claim_of_appendix_f({100: pair(-250, -220), 10_000: pair(-150, -151)}).holds
    assert not claim_of_appendix_f({100: pair(-220, -250), 10_000: pair(-150, -151)}).holds
    assert not claim_of_appendix_f({100: pair(-220, -219), 10_000: pair(-150, -140)}).holds
    assert not claim_of_appendix_f({100: pair(-250, -220), 10_000: pair(-150, NAN)}).holds
    assert not claim_of_appendix_f({100: pair(-250, NAN), 10_000: pair(-150, -151)}).holds


def test_table_1s_claims():
    rows = {(row.model, row.k): row for row in burda_2016.PUBLISHED}

    def found(model, k, share, value):
        point = {"negative_log_likelihood": value, "standard_error": 0.2, "passes": 328, "active_units": 19}
        return rows[model, k], share, Curve([point], None, 60.0, {}, Path("nowhere"))

    entries = [
        found("VAE", 1, 1.0, 87.0),
        found("VAE", 1, 0.1, 88.8),
        found("VAE", 5, 0.1, 99),
        found("IWAE", 5, 0.1, 87),
    ]
    order, near = sorted(burda_2016._claims(entries), key=lambda claim: "within" in claim.statement)
    assert order.holds
    assert order.evidence == "k = 1: 88.80, k = 5: 87.00 nats."
    assert near.holds
    assert not burda_2016._claims([found("VAE", 1, 1.0, 87.3)])[0].holds
    assert not burda_2016._claims([*entries, found("IWAE", 50, 0.1, 87.5)])[-1].holds
    assert "| IWAE | 5 | 328 | 87.00 ± 0.20 | 85.54 | 19 | 22 |" in burda_2016._table(entries)


def test_table_1_says_where_its_estimates_cannot_be_trusted():
    row, budget = burda_2016.PUBLISHED[0], burda_2016.BUDGETS["full"]
    plain = Curve([{"samples": 60}], None, 60.0, {}, Path("nowhere"))
    looked_at = Curve(
        [{"samples": 60, "details": {"num_above_threshold": 8_980, "pareto_k_threshold": 0.7}}],
        None,
        60.0,
        {},
        Path("nowhere"),
    )
    assert burda_2016._reliability_remarks(budget, [(row, 1.0, plain)]) == []
    (remark,) = burda_2016._reliability_remarks(budget, [(row, 1.0, looked_at), (row, 0.01, plain)])
    assert "a few samples dominate (Pareto k above 0.7)" in remark
    assert remark.endswith("test images: VAE, k = 1, 1 of the schedule: 8,980.")


def test_schedule_of_table_1():
    assert sum(burda_2016.NUM_PASSES) == 3_280
    assert burda_2016.RATES[0] == 1e-3
    assert burda_2016.RATES[-1] == pytest.approx(1e-4)
    assert [row.estimator.num_samples for row in burda_2016.PUBLISHED if row.model == "VAE"] == [1, 5, 50]
