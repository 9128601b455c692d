"""Nodes of the stage `report`."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.best_classes import open_probabilities
from hmltc_kedro.evaluation import diagnostics
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.report import RunEntries, build_page, figures
from hmltc_kedro.studies import gcn, style
from hmltc_kedro.taxonomy import Taxonomy

SETTINGS = "settings_"
"""What the names of the report's inputs begin with that are a stage's settings."""


def draw_taxonomy_map(label_statistics: pd.DataFrame, taxonomy: Taxonomy) -> go.Figure:
    """Draw the taxonomy as a treemap with each class's silver documents."""
    return figures.draw_taxonomy_map(label_statistics, taxonomy)


def measure_gcn_study(class_embeddings: TensorTable, taxonomy: Taxonomy, map_root: str | None) -> pd.DataFrame:
    """Compare the classes of each level before and after graph convolution (paper: section 5.2)."""
    from hmltc_kedro.modeling.gcn import smooth_embeddings

    before = np.asarray(class_embeddings["text"])
    root = gcn.find_map_root(taxonomy, map_root)
    return gcn.measure_levels(before, smooth_embeddings(before, taxonomy), taxonomy, root)


def draw_gcn_map(class_embeddings: TensorTable, taxonomy: Taxonomy, map_root: str | None, seed: int) -> go.Figure:
    """Map a sub-hierarchy before and after graph convolution."""
    from hmltc_kedro.modeling.gcn import smooth_embeddings

    before = np.asarray(class_embeddings["text"])
    root = gcn.find_map_root(taxonomy, map_root)
    layout = gcn.lay_out_map(before, smooth_embeddings(before, taxonomy), taxonomy, root, seed)
    return figures.draw_gcn_map(layout, taxonomy)


def measure_style_study(documents: pd.DataFrame, synthetic_documents: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Compare the style of the corpus with that of the synthetic documents before and after calibration."""
    return style.compare_styles(
        list(documents["text"]), list(synthetic_documents["raw_text"]), list(synthetic_documents["text"]), seed
    )


def diagnose_documents(
    predictions: pd.DataFrame,
    class_probabilities: TensorTable,
    candidate_scores: pd.DataFrame,
    silver_labels: pd.DataFrame,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Say of each test document, without gold labels, how far its prediction is to be trusted; doubtful ones first."""
    class_probabilities.check_rows(list(predictions["doc_id"]), "class_probabilities")
    class_probabilities.check_columns(taxonomy.class_ids, "class_probabilities")
    candidates, silver = (select_split(labelled, "test") for labelled in (candidate_scores, silver_labels))
    probabilities = open_probabilities(class_probabilities)
    return diagnostics.diagnose_documents(predictions, probabilities, candidates, silver, taxonomy)


def diagnose_classes(
    predictions: pd.DataFrame, silver_labels: pd.DataFrame, document_diagnostics: pd.DataFrame, taxonomy: Taxonomy
) -> pd.DataFrame:
    """Compare what silver labels and classifier give each class, and find which class takes documents from which."""
    silver = select_split(silver_labels, "test")
    return diagnostics.diagnose_classes(predictions, silver, document_diagnostics, taxonomy)


def diagnose_run(
    predictions: pd.DataFrame,
    silver_labels: pd.DataFrame,
    document_diagnostics: pd.DataFrame,
    calibration: dict[str, Any],
    taxonomy: Taxonomy,
) -> dict[str, Any]:
    """Put the diagnostics of the documents, and what judged ones say, together into a few numbers on the run."""
    silver = select_split(silver_labels, "test")
    return diagnostics.diagnose_run(document_diagnostics, predictions, silver, calibration, taxonomy)


def write_report(title: str, **entries: Any) -> str:
    """Show the run on one HTML page; `entries` are those that `report.RunEntries` names, and `settings_<stage>`."""
    names = [name for name in entries if name.startswith(SETTINGS)]
    parameters = {name.removeprefix(SETTINGS): entries.pop(name) for name in names}
    return build_page(RunEntries(**entries, parameters=parameters), title, STAGES)
