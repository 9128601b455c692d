"""What calibration does to texts, measured: statistics by hand, a detector on texts of known style."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.augmentation.style import StyleRules, calibrate_style
from hmltc_kedro.studies import style
from hmltc_kedro.studies.style import compare_styles, detect_synthetic, mask_words

STATISTICS = ["lowercase", "spaced_punctuation", "split_contractions", "mean_tokens", "type_token_ratio"]


def write_reviews(n: int, seed: int) -> list[str]:
    """Return reviews as a language model writes them, each of its own length and choice of sentences."""
    sentences = [
        *("I can't recommend it.", "It's great, really!", "My daughter loves this; so do I."),
        *("The box (a small one) was damaged.", "We've had it since May.", "Would I buy it again? Yes!"),
    ]
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(sentences, size=generator.integers(2, 6))) for _ in range(n)]


def calibrate(texts: list[str]) -> list[str]:
    return [calibrate_style(text, StyleRules.all()) for text in texts]


def test_statistics_by_hand() -> None:
    table = compare_styles(["a b ."], ["It isn't, Bob.", "OK: 3"], ["it is n't , bob .", "ok : 3"], seed=1)
    rows = table.set_index("texts")
    assert list(rows.index) == ["real", "raw", "calibrated"]
    assert rows["n_texts"].tolist() == [1, 2, 2]
    assert rows["lowercase"].tolist() == pytest.approx([1, 1 / 4, 1])
    assert rows["spaced_punctuation"].tolist() == pytest.approx([1, 0, 1])
    assert rows["split_contractions"].tolist() == pytest.approx([0, 0, 1])
    assert rows["mean_tokens"].tolist() == pytest.approx([3, 5 / 2, 9 / 2])
    assert rows[["detector_accuracy", "detector_auc"]].isna().all(axis=None)


def test_type_token_ratio_is_over_the_same_number_of_tokens() -> None:
    """The same twenty words again and again: over ten tokens the long row is as rich as the short one."""
    words = [f"w{i}" for i in range(20)]
    table = compare_styles([" ".join(words * 50)], [" ".join(words[:10])], [" ".join(["w"] * 10)], seed=1)
    assert table["type_token_ratio"].tolist() == pytest.approx([1.0, 1.0, 0.1])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("I ca n't, Mr Übel 3.5", "X x x'x, Xx Xx 9.9"),
        ("WOW!! iPhone_12 don’t", "X!! Xx_9 x’x"),
        ("良い 10:30", "x 9:9"),
        ("", ""),
    ],
)
def test_masked_words_keep_case_and_punctuation(text: str, masked: str) -> None:
    assert mask_words(text) == masked


def test_detector_finds_raw_texts_in_a_tokenised_corpus_and_not_calibrated_ones() -> None:
    real, synthetic = calibrate(write_reviews(150, seed=1)), write_reviews(150, seed=2)
    table = compare_styles(real, synthetic, calibrate(synthetic), seed=3).set_index("texts")
    assert table.loc["raw", "detector_accuracy"] == table.loc["raw", "detector_auc"] == 1.0
    # Of one source, they are told apart by guessing alone: one half, within three standard errors.
    auc_error, accuracy_error = np.sqrt((150 + 150 + 1) / (12 * 150 * 150)), np.sqrt(0.25 / 300)
    assert table.loc["calibrated", "detector_auc"] == pytest.approx(0.5, abs=3 * auc_error)
    assert table.loc["calibrated", "detector_accuracy"] == pytest.approx(0.5, abs=3 * accuracy_error)
    assert table.loc["real", STATISTICS].to_numpy(float) == pytest.approx(
        table.loc["calibrated", STATISTICS].to_numpy(float), rel=0.2
    )


def test_detector_does_not_see_the_topic() -> None:
    """Other words of the same shapes: what the classes are about is not style."""
    texts, others = write_reviews(80, seed=1), write_reviews(80, seed=2)
    reworded = [text.translate(str.maketrans("aeiou", "uoiea")) for text in others]
    assert detect_synthetic(texts, reworded, seed=0) == detect_synthetic(texts, others, seed=0)


def test_detector_weighs_both_kinds_alike() -> None:
    """Ten synthetic texts in a corpus of 300 just like them: always saying `real` would be right 97 times in 100."""
    assert detect_synthetic(["It is fine."] * 300, ["It is fine."] * 10, seed=0) == (0.5, 0.5)


def test_study_is_the_same_for_the_same_seed() -> None:
    given = write_reviews(30, seed=1), write_reviews(12, seed=2), calibrate(write_reviews(12, seed=2))
    pd.testing.assert_frame_equal(compare_styles(*given, seed=5), compare_styles(*given, seed=5))


@pytest.mark.parametrize("n", [0, 4])
def test_few_synthetic_texts_are_described_as_far_as_they_go(n: int) -> None:
    raw = write_reviews(n, seed=2)
    table = compare_styles(write_reviews(20, seed=1), raw, calibrate(raw), seed=1).set_index("texts")
    assert table["n_texts"].tolist() == [20, n, n]
    assert table.loc["real", STATISTICS].notna().all()
    assert table.loc["calibrated", STATISTICS].isna().all() == (n == 0)
    assert table[["detector_accuracy", "detector_auc"]].isna().all(axis=None)


def test_long_corpora_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "SAMPLE", 6)
    raw = write_reviews(9, seed=2)
    table = compare_styles(write_reviews(20, seed=1), raw, calibrate(raw), seed=1)
    assert table["n_texts"].tolist() == [6, 6, 6]


def test_raw_and_calibrated_texts_belong_together() -> None:
    with pytest.raises(ValueError, match="1 raw texts, 0 calibrated"):
        compare_styles(["a"], ["b"], [], seed=1)
