"""The examples to train on."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.augmentation.training_examples import build_examples
from hmltc_kedro.errors import InputError


@pytest.fixture
def documents() -> pd.DataFrame:
    return pd.DataFrame(
        {"split": ["train", "train", "test"], "doc_id": ["0", "1", "0"], "text": ["zero", "one", "test zero"]}
    )


@pytest.fixture
def silver() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": ["test", "train", "train"],
            "doc_id": ["0", "1", "0"],
            "class_ids": [["ga"], ["an"], ["an", "do"]],
            "confidence": [3.0, 0.1, 1.0],
            "kept": [True, False, True],
        }
    )


def make_synthetic(*reviews: tuple[str, list[str]]) -> pd.DataFrame:
    """Return synthetic documents from (text, class ids on its path)."""
    texts, paths = [text for text, _ in reviews], [path for _, path in reviews]
    doc_ids = [f"{path[-1]}-0" for path in paths]
    return pd.DataFrame({"split": "synthetic", "doc_id": doc_ids, "text": texts, "raw_text": texts, "class_ids": paths})


@pytest.fixture
def synthetic() -> pd.DataFrame:
    return make_synthetic(("a rake", ["ga", "to"]))


def build(*frames: pd.DataFrame, synthetic_ancestors: bool = True) -> pd.DataFrame:
    return build_examples(*frames, synthetic_weight=0.7, synthetic_ancestors=synthetic_ancestors)


def test_examples_are_kept_silver_documents_then_synthetic_ones(
    documents: pd.DataFrame, silver: pd.DataFrame, synthetic: pd.DataFrame
) -> None:
    examples = build(documents, silver, synthetic)
    assert examples.to_dict("list") == {
        "split": ["train", "test", "synthetic"],
        "doc_id": ["0", "0", "to-0"],
        "text": ["zero", "test zero", "a rake"],
        "class_ids": [["an", "do"], ["ga"], ["ga", "to"]],
        "weight": [1.0, 1.0, 0.7],
    }


def test_without_synthetic_ancestors_only_the_class_itself_is_positive(
    documents: pd.DataFrame, silver: pd.DataFrame
) -> None:
    synthetic = make_synthetic(("a cushion", ["an", "ca", "be"]), ("a lawn", ["ga"]))
    from_parquet = synthetic.assign(class_ids=synthetic["class_ids"].map(np.array))
    for frame in (synthetic, from_parquet):
        examples = build(documents, silver, frame, synthetic_ancestors=False)
        # The silver documents keep their paths.
        assert examples["class_ids"].tolist() == [["an", "do"], ["ga"], ["be"], ["ga"]]
    assert synthetic["class_ids"].tolist() == [["an", "ca", "be"], ["ga"]]


def test_nothing_to_train_on_names_the_parameter(
    documents: pd.DataFrame, silver: pd.DataFrame, synthetic: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match=r"pseudo_label\.gap\.value"):
        build(documents, silver.assign(kept=False), synthetic.iloc[:0])


def test_order_of_the_silver_labels_does_not_matter(
    documents: pd.DataFrame, silver: pd.DataFrame, synthetic: pd.DataFrame
) -> None:
    examples, again = (build(documents, frame, synthetic) for frame in (silver, silver.iloc[::-1]))
    pd.testing.assert_frame_equal(examples, again)
