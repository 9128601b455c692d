"""Bootstrap intervals: against the normal interval and against drawing documents."""

import numpy as np
import pytest

from hmltc_kedro.evaluation import intervals


def test_bootstrap_of_equal_scores_is_a_point() -> None:
    assert intervals.bootstrap_interval(np.full(9, 0.25), seed=1) == (0.25, 0.25)


def test_bootstrap_agrees_with_the_normal_interval() -> None:
    scores = np.random.default_rng(0).choice([0.0, 0.5, 2 / 3, 1.0], size=4000)
    low, high = intervals.bootstrap_interval(scores, 4000, seed=7)
    error = scores.std() / np.sqrt(len(scores))
    assert low == pytest.approx(scores.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(scores.mean() + 1.96 * error, abs=0.1 * error)


def test_bootstrap_agrees_with_drawing_documents() -> None:
    generator = np.random.default_rng(3)
    scores = generator.random(50)
    draws = scores[generator.integers(0, 50, (20_000, 50))].mean(axis=1)
    interval = intervals.bootstrap_interval(scores, 20_000, seed=4, level=0.8)
    assert interval == pytest.approx(np.quantile(draws, [0.1, 0.9]), abs=2e-3)


def test_bootstrap_depends_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).random(30)
    first = intervals.bootstrap_interval(scores, 300, seed=5)
    assert first == intervals.bootstrap_interval(scores[::-1], 300, seed=5)
    assert first != intervals.bootstrap_interval(scores, 300, seed=6)
    monkeypatch.setattr(intervals, "MAX_DRAWS", 100)  # small pieces draw the same counts
    assert intervals.bootstrap_interval(scores, 300, seed=5) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "options"),
    [
        ([], {}),
        ([[1.0]], {}),
        ([np.nan], {}),
        ([1.0], {"level": 1.0}),
        ([1.0], {"n_resamples": 0}),
    ],
)
def test_bootstrap_refuses(scores: list[float], options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="bootstrap"):
        intervals.bootstrap_interval(np.array(scores), seed=0, **options)  # type: ignore[arg-type]


def test_paired_bootstrap_is_narrower_than_the_systems_are_apart() -> None:
    generator = np.random.default_rng(0)
    a = generator.random(500)
    assert intervals.paired_bootstrap(a, a - 0.125, seed=0) == pytest.approx((0.125, 0.125))
    low, high = intervals.paired_bootstrap(a, a + generator.normal(0, 0.1, 500), seed=0)
    assert low < 0 < high
    with pytest.raises(ValueError, match="paired scores"):
        intervals.paired_bootstrap(a, a[:3], seed=0)


def test_stratified_bootstrap_counts_each_stratum_alike() -> None:
    generator = np.random.default_rng(0)
    strata = [generator.normal(0.2, 0.1, 400), generator.normal(0.6, 0.3, 1600)]
    low, high = intervals.stratified_bootstrap(strata, 4000, seed=7)
    mean = (strata[0].mean() + strata[1].mean()) / 2
    error = np.sqrt(sum(scores.var() / len(scores) for scores in strata)) / 2
    assert low == pytest.approx(mean - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.15 * error)
    assert intervals.stratified_bootstrap(strata[:1], seed=1) == intervals.bootstrap_interval(strata[0], seed=1)
    with pytest.raises(ValueError, match="at least one stratum"):
        intervals.stratified_bootstrap([], seed=0)
