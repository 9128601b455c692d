"""What Kedro-Viz needs of a preview: the name of its type."""

import inspect

import pytest

from hmltc_kedro import datasets


@pytest.mark.parametrize(
    "name", ["ParquetDataset", "CSVDataset", "TaxonomyDataset", "TensorDataset", "RawTableDataset"]
)
def test_tables_are_previewed_as_tables(name: str) -> None:
    annotation = inspect.signature(getattr(datasets, name).preview).return_annotation
    # As kedro_viz.models.flowchart.node_metadata reads it.
    assert getattr(annotation, "__name__", str(annotation)) == "TablePreview"


@pytest.mark.parametrize("name", ["JSONDataset", "ClassifierDataset"])
def test_settings_and_metrics_are_previewed_as_json(name: str) -> None:
    annotation = inspect.signature(getattr(datasets, name).preview).return_annotation
    assert getattr(annotation, "__name__", str(annotation)) == "JSONPreview"


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_dataset_is_found_by_its_name(name: str) -> None:
    assert getattr(datasets, name).__name__ == name


def test_unknown_dataset_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'PickleDataset'"):
        _ = datasets.PickleDataset
