"""A small run to report on: documents of the fixture `diamond`, some of them with texts that want to be markup."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from hmltc_kedro.evaluation import diagnostics, error_analysis, scores
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.pseudo_labels import starvation
from hmltc_kedro.report import RunEntries, build_page, figures
from hmltc_kedro.studies import style
from hmltc_kedro.taxonomy import Taxonomy

NASTY = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)><!-- & "q" \u2028 é'
"""A text that ends scripts, begins comments and loads pictures wherever it is not escaped."""

SETS = [["an", "do"], ["an", "ca"], ["ga", "to"], ["an", "do", "ca", "be"]]
PATHS = [[["an", "do"]], [["an", "ca"]], [["ga", "to"]], [["an", "do", "be"], ["an", "ca", "be"]]]


class Settings(BaseModel):
    """A stage's parameters: one that is set, one that is left at its default."""

    views: list[str]
    gap: dict[str, float] = {"value": 0.25}


class Encoder:
    """Stands for a text encoder."""

    name = "words"


def make_predictions(n: int) -> pd.DataFrame:
    """Return n predictions whose label sets take turns and whose scores rise."""
    turns = [i % len(SETS) for i in range(n)]
    scores = [[round((i + 1) / (n + 1), 4)] * len(PATHS[t]) for i, t in enumerate(turns)]
    ids = pd.Series([str(i) for i in range(n)], dtype="str")
    return pd.DataFrame(
        {
            "doc_id": ids,
            "class_ids": [SETS[t] for t in turns],
            "paths": [PATHS[t] for t in turns],
            "scores": scores,
            "decision": ["accept" if row[0] >= 0.5 or i == 2 else "review" for i, row in enumerate(scores)],
            "source": ["recorded" if i == 1 else "person" if i == 2 else "model" for i in range(n)],
            "fits": [row[0] >= 0.4 for row in scores],
        }
    )


def make_candidates(doc_ids: list[str]) -> pd.DataFrame:
    """Return four candidates a test document, best first, dogs, cat toys, animals, tools; and one for training."""
    paths = [["an", "do"], ["an", "ca", "ct"], ["an"], ["ga", "to"]]
    rows = [("test", i, k, path[-1], path, 3.0 - k / 2) for i in doc_ids for k, path in enumerate(paths, start=1)]
    rows += [("train", "0", 1, "ga", ["ga"], 9.0)]
    return pd.DataFrame(rows, columns=["split", "doc_id", "rank", "class_id", "path", "score_fused"])


def make_annotations() -> pd.DataFrame:
    """Return what people said of two documents, and a judge of four: two with classes, a "none" and no answer."""
    rows = [
        ("train", "0", ["an", "do"], "person", "", "given", ""),
        ("test", "2", ["ga", "to"], "person", "", "given", ""),
        ("test", "1", ["an", "ca"], "recorded", "high", "audit", ""),
        ("train", "1", [], "recorded", "low", "audit", ""),
        ("train", "2", [], "recorded", "", "coverage", "number 99 is not on offer"),
        ("test", "0", ["an"], "recorded", "medium", "doubt", ""),
    ]
    frame = pd.DataFrame(rows, columns=["split", "doc_id", "class_ids", "source", "confidence", "reason", "error"])
    return frame.assign(round=[0, 0, 1, 1, 1, 2], offered=[[]] * 6, answer="")


CALIBRATION = {
    "n_annotated": 90,
    "n_audit": 60,
    "n_none": 0,
    "wished_precision": 0.8,
    "agreement": 0.736,
    "agreement_interval": [0.64, 0.819],
    "agreement_by_confidence": {"high": {"n": 45, "agreement": 0.77}, "low": {"n": 15, "agreement": 0.634}},
    "accept": 0.78,
    "share_accepted": 0.635,
    "precision": 0.765,
    "precision_interval": [0.694, 0.833],
}
"""As `annotation.calibration` writes it."""

UNKNOWN = dict.fromkeys(CALIBRATION) | {"n_annotated": 12, "n_audit": 6, "n_none": 0, "wished_precision": 0.8}
"""Likewise, of too few judged documents."""


def make_diagnostics(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return diagnostics of the documents by which those with the lowest scores are the most doubtful.

    The views have nothing to say on the third document; silver labels agree, differ and are missing in turn.
    """
    best = np.array([scores[0] if len(scores) else 0.0 for scores in predictions["scores"]], dtype=np.float64)
    numbers = np.arange(len(best))
    frame = pd.DataFrame(
        {
            "doc_id": predictions["doc_id"].reset_index(drop=True),
            "expected_f1": best,
            "view_agreement": np.where(numbers == 2, np.nan, best),
            "teacher_agreement": np.array([1.0, 0.5, np.nan])[numbers % 3],
        }
    )
    frame["doubt"] = frame["expected_f1"].rank(ascending=False, pct=True)
    return frame.sort_values("doubt", ascending=False, kind="stable", ignore_index=True)


def make_documents(split: str, texts: list[str]) -> pd.DataFrame:
    """Return documents of one split, numbered from 0."""
    ids = [str(i) for i in range(len(texts))]
    return pd.DataFrame({"split": split, "doc_id": ids, "text": texts}).astype("str")


def write_page(run: RunEntries, title: str = "A run") -> str:
    """Return the page of a run of all stages."""
    return build_page(run, title, STAGES)


def make_run(taxonomy: Taxonomy, texts: list[str] | None = None, gold: bool = True, **changes: Any) -> RunEntries:
    """Return a run on the diamond: six training documents, and test documents with `texts`, or eight of them."""
    texts = texts or [NASTY, *(f"spade number {i}" for i in range(7))]
    train = make_documents("train", [NASTY, *(f"puppy number {i}" for i in range(5))])
    test = make_documents("test", texts)
    labels = pd.DataFrame(
        {
            "split": train["split"],
            "doc_id": train["doc_id"],
            "class_ids": [SETS[0], SETS[0], SETS[0], SETS[1], SETS[2], SETS[3]],
            "confidence": np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1], dtype=np.float32),
            "kept": [True, True, True, True, True, False],
            "agreement": np.array([1.0, 1.0, 0.9, 0.5, 0.0, 0.7], dtype=np.float32),
        }
    )
    starved = starvation.find_starved_classes(labels, taxonomy, "documents", 1)
    synthetic = make_documents("synthetic", [f"Cushion {NASTY}", "Another cushion"]).assign(
        raw_text="raw", class_ids=[["an", "do", "be"]] * 2, source="gpt"
    )
    predictions = make_predictions(len(texts))
    trust = make_diagnostics(predictions)
    given = make_documents("test", texts).iloc[:4].assign(class_ids=[SETS[1], *SETS[1:4]][: len(texts)])
    known = min(len(texts), 4) if gold else 0
    gold_sets = [["an", "do"], ["an", "do"], ["ga", "to"], ["an", "do", "be"]][:known]
    truth = taxonomy.to_matrix(gold_sets)
    probabilities = np.full((known, len(taxonomy)), 0.5, dtype=np.float16)
    predicted = taxonomy.to_matrix(predictions["class_ids"].iloc[:known])
    layout = pd.DataFrame({"class_id": ["an", "do", "ca"], "path": ["animals", "animals > dogs", "animals > cats"]})
    layout = layout.assign(depth=[0, 1, 1], group=["an", "do", "ca"])
    run = RunEntries(
        documents=pd.concat([train, test], ignore_index=True),
        rejected_documents=make_documents("train", [NASTY]).assign(line=7, reason="text is empty"),
        taxonomy=taxonomy,
        enriched_taxonomy=taxonomy.with_keywords({"ct": ["mouse"]}),
        class_descriptions=pd.DataFrame(
            {
                "class_id": taxonomy.class_ids,
                "description": [f"{name} {NASTY}" for name in taxonomy.names],
                "source": ["gpt"] * (len(taxonomy) - 1) + ["template"],
            }
        ),
        silver_labels=labels,
        starved_classes=starved,
        label_statistics=starvation.summarise_classes(labels, taxonomy, list(starved["class_id"])),
        candidate_scores=make_candidates(list(test["doc_id"])),
        annotations=make_annotations(),
        synthetic_documents=synthetic,
        training_examples=labels[labels["kept"]],
        training_history=pd.DataFrame(
            [
                ("head", 0, np.nan, 0.5, 0.0),
                ("head", 1, 0.4, 0.3, 1.0),
                ("head", 2, 0.2, 0.4, 1.0),
                ("fine_tuning", 0, np.nan, 0.3, 0.0),
                ("fine_tuning", 1, 0.1, 0.2, 9.0),
            ],
            columns=["phase", "epoch", "loss", "validation_loss", "seconds"],
        ),
        calibration=CALIBRATION,
        predictions=predictions,
        document_diagnostics=trust,
        class_diagnostics=diagnostics.diagnose_classes(predictions, given, trust, taxonomy),
        run_diagnostics=diagnostics.diagnose_run(trust, predictions, given, CALIBRATION, taxonomy),
        metrics={
            **scores.evaluate(truth, predicted, probabilities, taxonomy, 42),
            "by_source": {"model": scores.evaluate_sets(truth, predicted, 42)} if known else {},
            "zero_shot": scores.evaluate_sets(truth, predicted, 42) if known else None,
        },
        case_studies=error_analysis.trace_cases(
            test.iloc[:known], gold_sets, predictions.iloc[:known], probabilities, taxonomy
        ),
        style_study=style.compare_styles(["A b"], ["A b."], ["a b ."], 42),
        gcn_study=pd.DataFrame(
            [("all", 1, 2, 1, 0.5, 0.6), ("animals", 1, 1, 0, np.nan, np.nan)],
            columns=["part", "level", "n_classes", "n_pairs", "mean_cosine_before", "mean_cosine_after"],
        ),
        gcn_map=figures.draw_gcn_map(
            layout.assign(x_before=[0, 1, -1], y_before=[0, 1, 1], x_after=[0, 2, -2], y_after=[0, 2, 3]), taxonomy
        ),
        run_record={},
        parameters={"seed": 42, "pseudo_label": Settings(views=["text"])},
        encoder=Encoder(),
    )
    return replace(run, **changes)
