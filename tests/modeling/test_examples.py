"""Training examples: the mask rule on the diamond, and the split into training and validation."""

import numpy as np
import pytest
import torch

from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset, split_rows
from hmltc_kedro.modeling.settings import MaskRule
from hmltc_kedro.taxonomy import Taxonomy

CPU = torch.device("cpu")


def make_dataset(
    taxonomy: Taxonomy,
    *label_sets: list[str],
    soft_target: float = 1.0,
    mask: MaskRule = "below_most_specific",
) -> WeightedMultiLabelDataset:
    n = len(label_sets)
    return WeightedMultiLabelDataset(
        taxonomy.to_matrix(label_sets),
        np.linspace(1, 2, n, dtype=np.float32),
        taxonomy,
        soft_target,
        mask,
    )


def masked_classes(dataset: WeightedMultiLabelDataset, taxonomy: Taxonomy) -> set[str]:
    """Return the unknown classes of the first document."""
    return {taxonomy.class_ids[c] for c in np.flatnonzero(dataset.batch(np.array([0]), CPU).mask[0].numpy() == 0)}


@pytest.mark.parametrize(
    ("labels", "unknown"),
    [
        pytest.param(["an", "do"], ["be"], id="below-the-most-specific"),
        pytest.param(["an"], ["do", "ca", "be", "ct"], id="root-alone"),
        pytest.param(["an", "do", "be"], [], id="leaf-leaves-cats-negative"),
        pytest.param(["an", "ca"], ["be", "ct"], id="two-children"),
        pytest.param(["an", "do", "ca"], ["be", "ct"], id="two-most-specific"),
        pytest.param(["an", "do", "ca", "be"], [], id="both-parents-and-the-leaf"),
        pytest.param(["an", "do", "ca", "ct"], ["be"], id="leaf-beside-an-open-branch"),
        pytest.param(["ga", "an", "do"], ["to", "be"], id="two-roots"),
        pytest.param(["an", "be"], ["do", "ca", "ct"], id="positive-below-a-gap-stays-known"),
        pytest.param([], [], id="no-label"),
    ],
)
def test_unknown_are_the_descendants_of_most_specific_labels(
    diamond: Taxonomy, labels: list[str], unknown: list[str]
) -> None:
    dataset = make_dataset(diamond, labels)
    positive = np.flatnonzero(dataset.batch(np.array([0]), CPU).targets[0].numpy())
    assert {diamond.class_ids[c] for c in positive} == set(labels)
    assert masked_classes(dataset, diamond) == set(unknown)


@pytest.mark.parametrize(
    ("labels", "unknown"),
    [
        pytest.param(["an", "do"], ["ca", "be", "ct"], id="a-root-opens-all-below-it"),
        pytest.param(["an", "do", "be"], ["ca", "ct"], id="leaf-leaves-cats-unknown"),
        pytest.param(["an", "ca", "ct"], ["do", "be"], id="siblings-of-the-leaf"),
        pytest.param(["ga", "to"], [], id="the-other-root-stays-negative"),
        pytest.param(["do", "be"], [], id="below-the-labels-alone"),
        pytest.param(["ga", "an"], ["do", "ca", "be", "ct", "to"], id="two-roots"),
        pytest.param([], [], id="no-label"),
    ],
)
def test_unknown_are_the_descendants_of_every_label(diamond: Taxonomy, labels: list[str], unknown: list[str]) -> None:
    assert masked_classes(make_dataset(diamond, labels, mask="below_any_label"), diamond) == set(unknown)


def test_batch_holds_the_asked_rows_in_their_order(diamond: Taxonomy) -> None:
    dataset = make_dataset(diamond, ["an"], ["ga"], ["ga", "to"])
    batch = dataset.batch(np.array([2, 0]), CPU)
    assert batch.targets.tolist() == [[0, 1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]]
    assert batch.weights.tolist() == [2, 1]
    assert batch.mask.dtype == batch.targets.dtype == batch.weights.dtype == torch.float32
    assert len(dataset) == 3


def test_soft_target_stands_for_positives_only(diamond: Taxonomy) -> None:
    batch = make_dataset(diamond, ["ga", "to"], soft_target=0.9).batch(np.array([0]), CPU)
    assert batch.targets[0].tolist() == pytest.approx([0, 0.9, 0, 0, 0, 0, 0.9])


# ---------------------------------------------------------------------- split


@pytest.mark.parametrize(
    ("n", "share", "held_out"), [(100, 0.1, 10), (100, 0.0, 0), (5, 0.1, 1), (1, 0.1, 0), (2, 0.9, 1), (16, 0.1, 2)]
)
def test_split_holds_out_the_share(n: int, share: float, held_out: int) -> None:
    training, validation = split_rows(n, share, seed=0)
    assert len(validation) == held_out
    assert sorted([*training, *validation]) == list(range(n))


def test_split_depends_on_the_seed_alone() -> None:
    first, again, other = (split_rows(50, 0.2, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_weight_that_is_none_is_refused(diamond: Taxonomy, weight: float) -> None:
    with pytest.raises(InputError) as refused:
        WeightedMultiLabelDataset(diamond.to_matrix([["an"], ["do"]]), np.array([1, weight], np.float32), diamond)
    assert str(refused.value) == (
        f"entry `training_examples`, row 1: its weight is {weight} (1 such rows); run `kedro refresh`, "
        "which makes what is stale again"
    )
