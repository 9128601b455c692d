"""Does style calibration work: real, raw and calibrated texts side by side, and a detector looking for a difference."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hmltc_kedro.augmentation.style import measure_style

SAMPLE = 2000
"""Texts of each kind that are looked at: shares are then good to about one per cent."""


FOLDS = 5


WORD = re.compile(r"[^\W\d_]+")


DIGITS = re.compile(r"\d+")


def compare_styles(real: Sequence[str], raw: Sequence[str], calibrated: Sequence[str], seed: int) -> pd.DataFrame:
    """Return one row each for real, raw synthetic and calibrated synthetic texts.

    A token is what lies between white space, as the text stands; that is what calibration moves. Columns:

    - texts: `real`, `raw` or `calibrated`; n_texts: how many were looked at, at most `SAMPLE`;
    - lowercase: share of the tokens with a letter that have no capital;
    - spaced_punctuation, split_contractions: as `style.StyleProfile`;
    - mean_tokens: tokens a text;
    - type_token_ratio: distinct tokens / tokens, over the first T tokens of each row with T the same for all
      (the ratio falls as texts grow, whatever their style);
    - detector_accuracy, detector_auc: see `detect_synthetic`; NaN for `real`.

    Without texts, a row's numbers are NaN.

    Args:
        real: documents of the corpus.
        raw: synthetic texts as the language model wrote them.
        calibrated: the same texts after `style.calibrate_style`.
        seed: of the samples and the folds.

    Raises:
        ValueError: not as many raw as calibrated texts.
    """
    if len(raw) != len(calibrated):
        raise ValueError(f"{len(raw)} raw texts, {len(calibrated)} calibrated ones")
    generator = np.random.default_rng(seed)
    real = [real[i] for i in generator.permutation(len(real))[:SAMPLE]]
    chosen = generator.permutation(len(raw))[:SAMPLE]
    samples = {"real": real, "raw": [raw[i] for i in chosen], "calibrated": [calibrated[i] for i in chosen]}
    budget = min((sum(len(t.split()) for t in texts) for texts in samples.values() if texts), default=0)
    rows = []
    for name, texts in samples.items():
        accuracy, auc = detect_synthetic(real, texts, seed) if name != "real" else (np.nan, np.nan)
        rows.append({"texts": name, **_describe(texts, budget), "detector_accuracy": accuracy, "detector_auc": auc})
    return pd.DataFrame(rows).astype({"texts": "str"})


def detect_synthetic(real: Sequence[str], synthetic: Sequence[str], seed: int) -> tuple[float, float]:
    """Return how well a linear classifier tells real from synthetic texts: (accuracy, area under the ROC curve).

    0.5 is guessing: the style gives nothing away. Logistic regression on TF-IDF of character 1-4-grams, means over 5
    stratified folds, on as many real texts as synthetic ones (the first n of each, n the smaller number).

    The texts are masked first (`mask_words`). Synthetic texts are about starved classes, real ones about all, and a
    detector that sees words would find the topic and call it style; this one sees case, punctuation, white space,
    contractions and digits. Choice of words is style too, and is not measured.

    Args:
        real: documents of the corpus.
        synthetic: texts of a language model.
        seed: of the folds.

    Returns:
        (NaN, NaN) with fewer than five texts of a kind.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_validate
    from sklearn.pipeline import make_pipeline

    n = min(len(real), len(synthetic))
    if n < FOLDS:
        return np.nan, np.nan
    texts = [mask_words(text) for text in (*real[:n], *synthetic[:n])]
    detector = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False, sublinear_tf=True),
        LogisticRegression(max_iter=1000),
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_validate(detector, texts, np.repeat([0, 1], n), cv=folds, scoring=["accuracy", "roc_auc"])
    return float(scores["test_accuracy"].mean()), float(scores["test_roc_auc"].mean())


def mask_words(text: str) -> str:
    """Return `text` with words as their case and numbers as 9: `I ca n't, Mr 3.5` becomes `X x x'x, Xx 9.9`."""
    return DIGITS.sub("9", WORD.sub(_mask_word, text))


def _mask_word(match: re.Match[str]) -> str:
    word = match.group()
    return "x" if word == word.lower() else "X" if word == word.upper() else "Xx"


def _describe(texts: Sequence[str], budget: int) -> dict[str, float]:
    tokens = [token for text in texts for token in text.split()]
    words = [token for token in tokens if WORD.search(token)]
    profile = measure_style(texts)
    shares = {
        "lowercase": np.mean([word == word.lower() for word in words]) if words else np.nan,
        "spaced_punctuation": profile.spaced_punctuation if texts else np.nan,
        "split_contractions": profile.split_contractions if texts else np.nan,
        "mean_tokens": len(tokens) / len(texts) if texts else np.nan,
        "type_token_ratio": len(set(tokens[:budget])) / budget if tokens and budget else np.nan,
    }
    return {"n_texts": len(texts), **{name: float(value) for name, value in shares.items()}}
