"""Nodes of the stage `augment`."""

import logging

import pandas as pd

from hmltc_kedro.augmentation.reviews import ask_for_reviews, choose_path, collect_reviews
from hmltc_kedro.augmentation.style import StyleRules, measure_style
from hmltc_kedro.augmentation.style_examples import draw_examples, draw_pool
from hmltc_kedro.augmentation.training_examples import build_examples
from hmltc_kedro.llm import ChatClient
from hmltc_kedro.pipelines.augment.params import StyleChoice
from hmltc_kedro.pseudo_labels.starvation import count_silver_labels
from hmltc_kedro.taxonomy import Taxonomy

logger = logging.getLogger(__name__)

STYLE_SAMPLE = 2000
"""Documents that the corpus' style is measured on, and that style examples are drawn from."""


def write_synthetic_documents(
    starved_classes: pd.DataFrame,
    silver_labels: pd.DataFrame,
    taxonomy: Taxonomy,
    class_descriptions: pd.DataFrame,
    documents: pd.DataFrame,
    llm: ChatClient,
    reviews_per_class: int,
    temperature: float,
    max_tokens: int,
    style: StyleChoice,
    style_examples: int,
    seed: int,
) -> pd.DataFrame:
    """Ask for reviews of each starved class and calibrate them to the corpus' style."""
    counts = count_silver_labels(silver_labels, taxonomy)
    starved = list(starved_classes["class_id"]) if reviews_per_class else []
    paths = [choose_path(taxonomy, taxonomy.index[i], counts) for i in starved]
    pool = draw_pool(documents["text"], STYLE_SAMPLE, seed)
    requests = ask_for_reviews(
        taxonomy,
        paths,
        list(class_descriptions["description"]),
        [draw_examples(pool, taxonomy.class_ids[path[-1]], style_examples, seed) for path in paths],
        count=reviews_per_class,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    rules = _choose_rules(style, pool)
    reviews = collect_reviews(taxonomy, paths, llm.ask(requests), rules, reviews_per_class)
    logger.info("%d synthetic documents for %d starved classes", len(reviews), len(paths))
    return reviews


def _choose_rules(style: StyleChoice, sample: list[str]) -> StyleRules | None:
    if style == "never":
        return None
    return StyleRules.all() if style == "always" else measure_style(sample).choose_rules()


def build_training_examples(
    documents: pd.DataFrame,
    silver_labels: pd.DataFrame,
    synthetic_documents: pd.DataFrame,
    synthetic_weight: float,
    synthetic_ancestors: bool,
) -> pd.DataFrame:
    """Put silver and synthetic documents together, each with a weight."""
    return build_examples(
        documents,
        silver_labels,
        synthetic_documents,
        synthetic_weight=synthetic_weight,
        synthetic_ancestors=synthetic_ancestors,
    )
