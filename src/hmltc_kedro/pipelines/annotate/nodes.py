"""Nodes of the stage `annotate`."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.judge import TASK, Judgement, judge_documents
from hmltc_kedro.annotation.rounds import PERSON, Corpus, ask_in_rounds
from hmltc_kedro.annotation.selection import Budget
from hmltc_kedro.arrays import BoolArray, IntArray
from hmltc_kedro.corpus.tensors import TensorTable, document_keys
from hmltc_kedro.llm import ChatClient
from hmltc_kedro.modeling.student import fit_dense_view
from hmltc_kedro.pipelines.annotate.params import AnnotateParams
from hmltc_kedro.pseudo_labels.reliability import average_views
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView

logger = logging.getLogger(__name__)


def annotate_documents(
    documents: pd.DataFrame,
    labels: pd.DataFrame,
    candidate_scores: pd.DataFrame,
    silver_labels: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    lexical_view: pd.DataFrame,
    view_weights: dict[str, Any],
    taxonomy: Taxonomy,
    class_descriptions: pd.DataFrame,
    llm: ChatClient,
    params: AnnotateParams,
    views: Sequence[str],
    hubness_prior: float,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take people's labels and ask a language model about documents; return who was asked, and all annotations."""
    keys = document_keys(documents["split"], documents["doc_id"])
    document_embeddings.check_rows(keys, "document_embeddings")
    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    vectors, lexical = document_embeddings["vectors"], LexicalView.from_frame(lexical_view, taxonomy)
    dense = fit_dense_view(vectors, average_views(class_embeddings.select(views)), hubness_prior)
    weight = view_weights["lexical_weight"]
    corpus = Corpus(documents, vectors, lexical, weight, dense, silver_labels, taxonomy)

    def ask(rows: IntArray) -> list[Judgement]:
        asked, descriptions = documents.iloc[rows].reset_index(drop=True), list(class_descriptions["description"])
        how = params.model_dump(include={"max_characters", "temperature", "max_tokens"})
        k = params.candidates
        return judge_documents(asked, candidate_scores, taxonomy, descriptions, llm, k=k, seed=seed, **how)

    limits = params.model_dump(include={"max_documents", "share", "audit"})
    budget, answerable = Budget.plan(documents["split"], **limits), _find_answerable(keys, llm)
    queue, annotations = ask_in_rounds(corpus, labels, answerable, budget, ask, llm.name, seed)
    _say(queue, annotations, llm, bool(answerable.any()))
    return queue, annotations


def _find_answerable(keys: list[str], llm: ChatClient) -> BoolArray:
    """Return which documents the client can be asked about, (N,)."""
    subjects = llm.list_subjects(TASK)
    return np.ones(len(keys), dtype=bool) if subjects is None else np.array([key in subjects for key in keys])


def _say(queue: pd.DataFrame, annotations: pd.DataFrame, llm: ChatClient, can_ask: bool) -> None:
    given = int((annotations["source"] == PERSON).sum())
    if given:
        logger.info("%d documents have labels of people", given)
    if not can_ask:
        logger.info("No document is asked about: %s has no judgement of any", llm.name)
        return
    judged = annotations[annotations["source"] != PERSON]
    none, failed = (judged["class_ids"].map(len) == 0).sum(), (judged["error"] != "").sum()
    logger.info("%d documents asked about, %d fit no path, %d have no answer", len(queue), none - failed, failed)
