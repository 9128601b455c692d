"""What a report is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from hmltc_kedro.taxonomy import Taxonomy


class Named(Protocol):
    """Something with a name, such as a `TextEncoder`."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...


@dataclass(frozen=True, eq=False)
class RunEntries:
    """The catalog entries that the report shows, by their names.

    Gold labels are not among them: where there are any, `metrics` and `case_studies` hold what follows from them.
    `run_record` has for each node that ran its stage, seconds, when it finished and what it used of the language
    model; it may be empty. `gcn_map` is a Plotly figure, `parameters` a mapping whose values may be pydantic models.
    """

    documents: pd.DataFrame
    rejected_documents: pd.DataFrame
    taxonomy: Taxonomy
    enriched_taxonomy: Taxonomy
    class_descriptions: pd.DataFrame
    silver_labels: pd.DataFrame
    starved_classes: pd.DataFrame
    label_statistics: pd.DataFrame
    candidate_scores: pd.DataFrame
    annotations: pd.DataFrame
    synthetic_documents: pd.DataFrame
    training_examples: pd.DataFrame
    training_history: pd.DataFrame
    calibration: dict[str, Any]
    predictions: pd.DataFrame
    document_diagnostics: pd.DataFrame
    class_diagnostics: pd.DataFrame
    run_diagnostics: dict[str, Any]
    metrics: dict[str, Any]
    case_studies: pd.DataFrame
    style_study: pd.DataFrame
    gcn_study: pd.DataFrame
    gcn_map: Any
    run_record: dict[str, dict[str, Any]]
    parameters: dict[str, Any]
    encoder: Named
