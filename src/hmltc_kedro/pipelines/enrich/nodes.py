"""Nodes of the stage `enrich`."""

import logging

import pandas as pd

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.enrichment import class_texts, keywords
from hmltc_kedro.enrichment.descriptions import ask_for_descriptions, collect_descriptions
from hmltc_kedro.llm import ChatClient
from hmltc_kedro.llm.prompts import MAX_NAMED
from hmltc_kedro.pipelines.enrich.params import EnrichParams
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder

logger = logging.getLogger(__name__)


def complete_keywords(taxonomy: Taxonomy, llm: ChatClient, params: EnrichParams) -> Taxonomy:
    """Ask the language model for keywords of the classes that have none."""
    if not params.keywords:
        return taxonomy
    requests = keywords.ask_for_keywords(taxonomy, params.keywords, params.temperature, params.max_tokens)
    completed = keywords.complete_keywords(taxonomy, llm.ask(requests), params.keywords)
    without = sum(not words for words in completed.keywords)
    logger.info("Keywords: %d classes had none, %d still have none", len(requests), without)
    return completed


def describe_classes(taxonomy: Taxonomy, llm: ChatClient, params: EnrichParams) -> pd.DataFrame:
    """Ask the language model for one sharp sentence a class; fall back to a template."""
    if crowded := sum(len(children) > MAX_NAMED for children in taxonomy.children):
        logger.warning("%d classes have more than %d children; questions name the first %d", crowded, *[MAX_NAMED] * 2)
    requests = ask_for_descriptions(taxonomy, params.temperature, params.max_tokens, params.max_siblings)
    descriptions = collect_descriptions(taxonomy, llm.ask(requests))
    n_template = int((descriptions["source"] == "template").sum())
    logger.info(
        "Class descriptions: %d from the language model (%s), %d from the template",
        len(descriptions) - n_template,
        llm.name,
        n_template,
    )
    return descriptions


def embed_classes(taxonomy: Taxonomy, class_descriptions: pd.DataFrame, encoder: TextEncoder) -> TensorTable:
    """Encode each class's text and paths to unit vectors."""
    views = class_texts.embed_classes(encoder, taxonomy, list(class_descriptions["description"]))
    return TensorTable(taxonomy.class_ids, views)
