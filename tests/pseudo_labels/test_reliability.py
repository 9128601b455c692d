"""How far each view is to be trusted, by what the halves of texts agree on."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.pseudo_labels import reliability
from hmltc_kedro.pseudo_labels.lexical_weight import BOUNDS, weigh_lexical_view
from hmltc_kedro.pseudo_labels.moments import estimate_moments
from hmltc_kedro.pseudo_labels.reliability import (
    ViewWeights,
    average_views,
    choose_neighbour_share,
    measure_reliability,
    split_halves,
    weigh_views,
)
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.windows import normalise
from small_corpus import CORPUS

# ---------------------------------------------------------------------- moments


def test_cosine_with_averaged_views_is_their_mean_cosine(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    mean = np.mean([documents @ view.T for view in views.values()], axis=0)
    averaged = average_views(views)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(documents @ averaged.T, mean, atol=1e-6)


# ---------------------------------------------------------------------- reliability


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("one two three", ("one two", "three")),
        ("  one\n\ttwo ", ("one", "two")),
        ("kettle", ("ket", "tle")),
        ("手机壳", ("手机", "壳")),
        ("a", ("a", "")),
        ("", ("", "")),
    ],
)
def test_text_is_halved_by_words_or_else_by_characters(text: str, halves: tuple[str, str]) -> None:
    assert split_halves(text) == halves


@given(st.text())
def test_halves_have_all_words_and_differ_by_one_at_most(text: str) -> None:
    first, second = split_halves(text)
    words = text.split()
    if len(words) > 1:
        assert first.split() + second.split() == words
        assert len(first.split()) - len(second.split()) in (0, 1)
    else:
        assert first + second == text
        assert len(first) - len(second) in (0, 1)


def centre(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(np.float64)
    return scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()


def test_reliability_is_as_worked_out_by_hand() -> None:
    # Rows and columns sum to 0 already: 2 / sqrt(4 * 4).
    first = np.array([[1, 0, -1], [-1, 0, 1]], np.float32)
    second = np.array([[1, -1, 0], [-1, 1, 0]], np.float32)
    assert measure_reliability(first, second) == pytest.approx(0.5)
    assert measure_reliability(first, -second) == 0, "a negative correlation counts as none"


def test_reliability_is_the_correlation_of_what_classes_and_documents_do_not_explain() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(size=(50, 7))
    first, second = (np.float32(true + rng.normal(size=(50, 7))) for _ in range(2))
    expected = np.corrcoef(centre(first).ravel(), centre(second).ravel())[0, 1]
    assert expected == pytest.approx(0.489, abs=1e-3), "one half of either is noise"
    assert measure_reliability(first, second) == pytest.approx(expected, abs=1e-5)
    hubs, lengths = 5 * rng.normal(size=(1, 7)), 5 * rng.normal(size=(50, 1))
    shifted = np.float32(3 * second + hubs + lengths)
    assert measure_reliability(first, shifted) == pytest.approx(expected, abs=1e-4)
    assert measure_reliability(first, np.float32(2 * first + hubs)) == pytest.approx(1, abs=1e-5)


def test_what_all_texts_have_in_common_is_no_agreement() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(1, 20)) * 10  # hubs
    first, second = (np.float32(common + rng.normal(size=(500, 20))) for _ in range(2))
    left = np.corrcoef(centre(first).ravel(), centre(second).ravel())[0, 1]
    assert left == pytest.approx(-0.0043, abs=1e-4)
    assert measure_reliability(first, second) == 0
    assert measure_reliability(first, np.float32(2 * common - second)) == pytest.approx(-left, abs=1e-5)


@pytest.mark.parametrize("scores", [np.zeros((4, 3)), np.ones((1, 3)), np.arange(4.0)[:, None]])
def test_scores_that_say_nothing_have_no_reliability(scores: np.ndarray) -> None:
    assert measure_reliability(np.float32(scores), np.float32(scores)) == 0


@pytest.mark.parametrize(("reliability", "share"), [(1, 0), (0, 0.5), (0.2, 0.5), (1 / 3, 0.5), (0.6, 0.25)])
def test_neighbour_share_by_hand(reliability: float, share: float) -> None:
    assert choose_neighbour_share(reliability) == pytest.approx(share)


class CharacterEncoder:
    """Stands for an encoder: a text is the counts of six letters, at unit length."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return normalise(np.array([[text.count(letter) for letter in "aeostd"] for text in texts], np.float32))


def weigh(
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    taxonomy: Taxonomy,
    encoder: CharacterEncoder | None,
    **options: object,
) -> ViewWeights:
    options = {"fixed_lexical_weight": None, "with_neighbours": True, "seed": 1, **options}
    vectors = CharacterEncoder().encode(CORPUS)
    common = {"hubness_prior": 10, "ancestor_weight": 0.25}
    return weigh_views(CORPUS, vectors, views, lexical, taxonomy, encoder, **common, **options)


def test_views_and_neighbours_are_weighed(
    views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy
) -> None:
    found = weigh(views, lexical, diamond, CharacterEncoder())
    halves = [[split_halves(text)[part] for text in CORPUS] for part in range(2)]
    classes = np.mean(list(views.values()), axis=0)
    scores = [CharacterEncoder().encode(texts) @ classes.T for texts in halves]
    reliability = np.corrcoef(*(centre(half).ravel() for half in scores))[0, 1]
    assert reliability == pytest.approx(0.433, abs=1e-3)
    assert found.n_documents == len(CORPUS)
    assert found.dense_reliability == pytest.approx(reliability, abs=1e-5)
    assert found.neighbour_share == pytest.approx(min(1 - 2 * reliability / (1 + reliability), 0.5), abs=1e-4)
    vectors, words = CharacterEncoder().encode(CORPUS), lexical.represent(CORPUS)
    dense = estimate_moments(vectors, classes, 10).standardise(vectors @ classes.T)
    weight = weigh_lexical_view(dense, lexical.score(words), words, diamond, 0.25, 1)
    assert found.lexical_weight == pytest.approx(weight, abs=1e-5)


def test_nothing_is_measured_where_nothing_depends_on_it(
    views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy
) -> None:
    found = weigh(views, lexical, diamond, None, fixed_lexical_weight=0.3, with_neighbours=False)
    assert found == ViewWeights(0, None, 0.3, 0.0)


def test_fixed_weight_stays_and_the_share_is_measured(
    views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy
) -> None:
    measured = weigh(views, lexical, diamond, CharacterEncoder())
    fixed = weigh(views, lexical, diamond, CharacterEncoder(), fixed_lexical_weight=0.3)
    assert fixed.lexical_weight == 0.3 != measured.lexical_weight
    assert fixed.neighbour_share == measured.neighbour_share
    alone = weigh(views, lexical, diamond, CharacterEncoder(), with_neighbours=False)
    assert (alone.lexical_weight, alone.neighbour_share) == (measured.lexical_weight, 0)


def test_view_without_words_has_the_least_weight(views: dict[str, np.ndarray], diamond: Taxonomy) -> None:
    assert weigh(views, LexicalView.empty(7), diamond, CharacterEncoder()).lexical_weight == BOUNDS[0]


def test_large_corpus_is_sampled_by_the_seed(
    monkeypatch: pytest.MonkeyPatch, views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy
) -> None:
    monkeypatch.setattr(reliability, "HALVED", 4)
    encoders = [CharacterEncoder() for _ in range(3)]
    pairs = zip(encoders, (1, 1, 2), strict=True)
    found = [weigh(views, lexical, diamond, encoder, seed=seed) for encoder, seed in pairs]
    assert [weights.n_documents for weights in found] == [4, 4, 4]
    assert found[0] == found[1]
    assert encoders[0].asked == encoders[1].asked != encoders[2].asked
    halves = [set(pair) for pair in zip(encoders[0].asked[:4], encoders[0].asked[4:], strict=True)]
    assert all(pair in [set(split_halves(text)) for text in CORPUS] for pair in halves)
