"""A corpus of the diamond for tests of annotation: kinds of documents with words and vectors of their own."""

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.judge import Judgement, name_subject
from hmltc_kedro.annotation.rounds import COLUMNS, Corpus
from hmltc_kedro.modeling.student import DenseView
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView

SETS = {"do": ["an", "do"], "ct": ["an", "ca", "ct"], "be": ["an", "do", "be"], "to": ["ga", "to"]}
"""Right label sets by the class that they end in."""

WORDS = {
    "do": ["leash", "puppy", "hound", "bark", "labrador", "walk"],
    "ct": ["feather", "mouse", "catnip", "chases", "jingle", "wand"],
    "be": ["cushion", "fleece", "sleeps", "mattress", "basket", "nap"],
    "to": ["rake", "spade", "soil", "handle", "weeds", "shears"],
}


def make_documents(n_train: int, n_test: int, seed: int = 0) -> pd.DataFrame:
    """Return documents of all four kinds in turn, with the column `kind` beside those of the corpus."""
    generator = np.random.default_rng(seed)
    kinds = [list(SETS)[n % 4] for n in range(n_train + n_test)]
    return pd.DataFrame(
        {
            "split": ["train"] * n_train + ["test"] * n_test,
            "doc_id": [str(n) for n in range(n_train)] + [str(n) for n in range(n_test)],
            "text": [" ".join(generator.choice(WORDS[kind], 4, replace=False)) for kind in kinds],
            "kind": kinds,
        }
    )


def make_corpus(taxonomy: Taxonomy, documents: pd.DataFrame, seed: int = 0) -> Corpus:
    """Return a corpus whose silver labels all say tools, and whose class texts say little."""
    generator = np.random.default_rng(seed)
    vectors = 0.3 * generator.standard_normal((len(documents), 8))
    vectors[np.arange(len(documents)), documents["kind"].map(list(SETS).index)] += 1
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    classes = np.eye(7, 8, dtype=np.float32)
    cosines = vectors @ classes.T
    dense = DenseView(classes, cosines.mean(axis=0), cosines.std(axis=0) + np.float32(0.1))
    silver = documents[["split", "doc_id"]].assign(class_ids=[["ga", "to"]] * len(documents))
    view = LexicalView.fit(list(documents["text"]), list(taxonomy.labels))
    return Corpus(documents[["split", "doc_id", "text"]], vectors, view, 1.0, dense, silver, taxonomy)


def judge(document: pd.Series, **changes: object) -> Judgement:
    """Return the right judgement of a document."""
    class_ids = tuple(SETS[document["kind"]])
    whole = {
        "subject": name_subject(document["split"], document["doc_id"]),
        "class_ids": class_ids,
        "confidence": "high",
        "offered": (class_ids, ("an",)),
        "answer": '{"choices": [1], "confidence": "high"}',
        "error": "",
        "source": "recorded",
        **changes,
    }
    return Judgement(**whole)  # type: ignore[arg-type]


def make_annotations(documents: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """Return annotations that say what is right about some documents, audited by a recorded judge if nothing else."""
    values = {
        "class_ids": [list(SETS[kind]) for kind in documents["kind"]],
        "source": "recorded",
        "confidence": "high",
        "reason": "audit",
        "round": 1,
        "offered": [[["an"]] for _ in range(len(documents))],
        "answer": "{}",
        "error": "",
        **changes,
    }
    return documents[["split", "doc_id"]].reset_index(drop=True).assign(**values)[COLUMNS]
