"""Nodes of the stage `pseudo_label`."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmltc_kedro.corpus.tensors import TensorTable, document_keys
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.pseudo_labels import neighbourhood, reliability, starvation
from hmltc_kedro.pseudo_labels.candidates import Corpus, candidates_to_frame, iterate_candidates
from hmltc_kedro.pseudo_labels.gaps import Selection
from hmltc_kedro.pseudo_labels.settings import GapSettings, StarvedSettings
from hmltc_kedro.pseudo_labels.silver_labels import assign_labels, measure_agreement
from hmltc_kedro.report import figures
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView

logger = logging.getLogger(__name__)


def embed_documents(documents: pd.DataFrame, encoder: TextEncoder) -> TensorTable:
    """Encode the whole corpus to unit vectors; what was encoded before comes from the cache."""
    keys = document_keys(documents["split"], documents["doc_id"])
    return TensorTable(keys, {"vectors": encoder.encode(list(documents["text"]))})


def fit_lexical_view(
    documents: pd.DataFrame, enriched_taxonomy: Taxonomy, lexical_weight: float | None
) -> pd.DataFrame:
    """Learn the corpus' words and which of them stand for which class; no word if the view has no weight."""
    if lexical_weight == 0:
        return LexicalView.empty(len(enriched_taxonomy)).to_frame(enriched_taxonomy)
    class_texts = write_lexical_texts(enriched_taxonomy)
    return LexicalView.fit(list(documents["text"]), class_texts).to_frame(enriched_taxonomy)


def weigh_views(
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    lexical_view: pd.DataFrame,
    taxonomy: Taxonomy,
    encoder: TextEncoder,
    views: Sequence[str],
    hubness_prior: float,
    lexical_weight: float | None,
    ancestor_weight: float,
    neighbours: int,
    seed: int,
) -> dict[str, Any]:
    """Weigh the views of a class, and the neighbours of a document, by what the corpus itself says of them."""
    document_embeddings.check_rows(document_keys(documents["split"], documents["doc_id"]), "document_embeddings")
    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    weights = reliability.weigh_views(
        list(documents["text"]),
        document_embeddings["vectors"],
        class_embeddings.select(views),
        LexicalView.from_frame(lexical_view, taxonomy),
        taxonomy,
        encoder,
        hubness_prior=hubness_prior,
        ancestor_weight=ancestor_weight,
        fixed_lexical_weight=lexical_weight,
        with_neighbours=neighbours > 0,
        seed=seed,
    )
    logger.info(
        "The lexical view weighs %.2f, neighbours %.0f%%", weights.lexical_weight, 100 * weights.neighbour_share
    )
    return asdict(weights)


def find_neighbours(document_embeddings: TensorTable, neighbours: int, seed: int) -> TensorTable:
    """Find the documents that are most like each document, nearest first."""
    rows = neighbourhood.find_neighbours(document_embeddings["vectors"], neighbours, seed)
    return TensorTable(document_embeddings.ids, {"rows": rows})


def score_candidates(
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    lexical_view: pd.DataFrame,
    view_weights: dict[str, Any],
    document_neighbours: TensorTable,
    taxonomy: Taxonomy,
    views: Sequence[str],
    hubness_prior: float,
    ancestor_weight: float,
    second_look: float,
    top_k: int,
    seed: int,
) -> pd.DataFrame:
    """Score every class for every document and keep the best candidates with their scores by view."""
    keys = document_keys(documents["split"], documents["doc_id"])
    document_embeddings.check_rows(keys, "document_embeddings")
    document_neighbours.check_rows(keys, "document_neighbours")
    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    weights = reliability.ViewWeights(**view_weights)
    lexical = LexicalView.from_frame(lexical_view, taxonomy) if len(lexical_view) else None
    texts, neighbours = list(documents["text"]), document_neighbours["rows"]
    candidates = iterate_candidates(
        Corpus.gather(texts, document_embeddings["vectors"], neighbours, lexical, weights),
        class_embeddings.select(views),
        lexical,
        taxonomy,
        top_k=top_k,
        hubness_prior=hubness_prior,
        lexical_weight=weights.lexical_weight,
        ancestor_weight=ancestor_weight,
        second_look=second_look,
        seed=seed,
    )
    return candidates_to_frame(candidates, documents, taxonomy)


def assign_silver_labels(
    candidate_scores: pd.DataFrame,
    document_neighbours: TensorTable,
    taxonomy: Taxonomy,
    selection: Selection,
    gap: GapSettings,
) -> pd.DataFrame:
    """Label each document with the paths of its best candidates, and say how far its neighbours agree."""
    labels = assign_labels(
        candidate_scores,
        taxonomy,
        selection=selection,
        rivals=gap.rivals,
        gap_method=gap.method,
        gap_value=gap.value,
    )
    document_neighbours.check_rows(document_keys(labels["split"], labels["doc_id"]), "document_neighbours")
    neighbours = neighbourhood.average_neighbours(document_neighbours["rows"])
    labels["agreement"] = measure_agreement(taxonomy.to_matrix(labels["class_ids"]), neighbours)
    logger.info("%d of %d silver labels are kept", labels["kept"].sum(), len(labels))
    return labels


def find_starved_classes(silver_labels: pd.DataFrame, taxonomy: Taxonomy, starved: StarvedSettings) -> pd.DataFrame:
    """List the classes with too few silver documents."""
    found = starvation.find_starved_classes(silver_labels, taxonomy, starved.unit, starved.threshold)
    logger.info("%d of %d classes are starved", len(found), len(taxonomy))
    return found


def summarise_classes(silver_labels: pd.DataFrame, starved_classes: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Count each class's silver documents and mark the starved and the empty classes."""
    return starvation.summarise_classes(silver_labels, taxonomy, list(starved_classes["class_id"]))


def plot_label_distribution(label_statistics: pd.DataFrame) -> go.Figure:
    """Draw how the silver documents are spread over the classes (paper: Fig. 1)."""
    return figures.draw_label_distribution(label_statistics)
