"""Reviews for starved classes, from a language model, in the style of the corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmltc_kedro.augmentation.style import StyleRules, calibrate_style
from hmltc_kedro.augmentation.style_examples import distinct_texts
from hmltc_kedro.llm import ChatAnswer, ChatRequest
from hmltc_kedro.llm.prompts import MAX_NAMED, render_prompt
from hmltc_kedro.llm.schemas import ClassReviews
from hmltc_kedro.taxonomy import Taxonomy


def choose_path(taxonomy: Taxonomy, c: int, counts: npt.NDArray[np.int64]) -> list[int]:
    """Return the root-to-node path to class `c` whose parents have the most silver documents.

    Args:
        taxonomy: the classes.
        c: where the path ends.
        counts: silver documents a class, shape (C,).
    """
    path = [c]
    while taxonomy.parents[path[0]]:
        path.insert(0, max(taxonomy.parents[path[0]], key=lambda p: counts[p]))
    return path


def ask_for_reviews(
    taxonomy: Taxonomy,
    paths: Sequence[list[int]],
    descriptions: Sequence[str],
    examples: Sequence[Sequence[str]],
    *,
    count: int,
    temperature: float,
    max_tokens: int,
) -> list[ChatRequest]:
    """Return one question a path: `count` texts about its last class, in the style of its examples."""
    name = taxonomy.spoken_name
    return [
        ChatRequest(
            task="write_reviews",
            subject=taxonomy.class_ids[path[-1]],
            prompt=render_prompt(
                "write_reviews",
                name=name(path[-1]),
                path=" > ".join(name(c) for c in path),
                description=descriptions[path[-1]],
                keywords=list(taxonomy.keywords[path[-1]]),
                siblings=[name(s) for s in taxonomy.list_siblings(path[-1], MAX_NAMED)],
                examples=list(shown),
                count=count,
            ),
            schema=ClassReviews,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        for path, shown in zip(paths, examples, strict=True)
    ]


def collect_reviews(
    taxonomy: Taxonomy,
    paths: Sequence[list[int]],
    answers: Sequence[ChatAnswer],
    rules: StyleRules | None,
    count: int,
) -> pd.DataFrame:
    """Return split, doc_id, text, raw_text, class_ids (root first), source; no row where there is no answer.

    Args:
        taxonomy: the classes.
        paths: the path asked about, one an answer.
        answers: of the language model.
        rules: style calibration; None leaves the texts as they came.
        count: texts kept a class.
    """
    rows = []
    for path, answer in zip(paths, answers, strict=True):
        reviews = answer.value.reviews if isinstance(answer.value, ClassReviews) else []
        reviews = [review for review in reviews if review.strip()]
        class_ids = [taxonomy.class_ids[c] for c in path]
        for number, review in enumerate(distinct_texts(reviews)[:count]):
            text = calibrate_style(review, rules) if rules else " ".join(review.split())
            rows.append(("synthetic", f"{class_ids[-1]}-{number}", text, review, class_ids, answer.source))
    columns = ["split", "doc_id", "text", "raw_text", "class_ids", "source"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(dict.fromkeys(("split", "doc_id", "text", "raw_text", "source"), "str"))
