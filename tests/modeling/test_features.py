"""Features by row number."""

import numpy as np
import pytest
import torch

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.modeling import features
from hmltc_kedro.modeling.features import FrozenFeatures, WordScores
from hmltc_kedro.text.lexical_view import LexicalView

TEXTS = ["a dog on a leash", "a steel spade", "cats and dogs", "nothing of this"]
ROWS = np.array([2, 0, 2])


@pytest.fixture
def view() -> LexicalView:
    return LexicalView.fit(TEXTS, ["dog leash", "spade", "cats"])


@pytest.mark.parametrize("held", [0, 4 * 4 * 3 - 1, 4 * 4 * 3])
def test_word_scores_are_the_same_held_or_made_at_each_call(
    view: LexicalView, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(features, "HELD", held)
    monkeypatch.setattr(features, "BLOCK", 3)
    words = view.represent(TEXTS)
    scores = WordScores(view, words, torch.device("cpu"))
    with monkeypatch.context() as patch:
        if held == 4 * 4 * 3:
            patch.setattr(LexicalView, "score", lambda *_: pytest.fail("scores that are held are made again"))
        np.testing.assert_allclose(scores(ROWS).numpy(), view_scores(view)[ROWS], rtol=1e-6)


def view_scores(view: LexicalView) -> FloatArray:
    """Return the scores by the dense product."""
    return view.represent(TEXTS).toarray() @ view.classes.toarray().T


def test_frozen_vectors_come_by_row() -> None:
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert FrozenFeatures(vectors, torch.device("cpu"))(ROWS).tolist() == [[4, 5], [0, 1], [4, 5]]
