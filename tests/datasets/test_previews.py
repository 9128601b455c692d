"""What Kedro-Viz needs of a preview: the name of its type, JSON, and no trouble before a run."""

import inspect
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro import datasets
from hmltc_kedro.datasets.previews import MAX_CELL, preview_frame, preview_page, preview_settings


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_dataset_has_a_preview_of_a_type_that_viz_draws(name: str) -> None:
    annotation = inspect.signature(getattr(datasets, name).preview).return_annotation
    # As kedro_viz.models.flowchart.node_metadata reads it.
    kind = getattr(annotation, "__name__", str(annotation))
    assert kind == ("PlotlyPreview" if name == "PlotlyDataset" else "TablePreview")


@pytest.mark.parametrize(
    "name", sorted({*datasets.__all__} - {"BulkDataset", "EncoderDataset", "LLMDataset", "RawTableDataset"})
)
def test_preview_of_what_is_not_made_yet_is_none(name: str, tmp_path: Path) -> None:
    assert getattr(datasets, name)(filepath=str(tmp_path / "nothing")).preview() is None


def test_preview_of_a_raw_file_that_is_not_there_is_an_empty_table(tmp_path: Path) -> None:
    preview = datasets.RawTableDataset(filepath=str(tmp_path / "gold.txt"), optional=True).preview()
    assert preview == {"index": [], "columns": ["line", "key", "value"], "data": []}


def test_settings_are_rows_with_dotted_names() -> None:
    settings = {
        "f1": 0.123456,
        "interval": [0.1, 0.987654],
        "levels": {"1": {"f1": 0.5, "n": 2}},
        "nothing": None,
        "failed": [{"id": "7", "error": "no answer"}],
    }
    assert preview_settings(settings) == {
        "index": [0, 1, 2, 3, 4, 5],
        "columns": ["name", "value"],
        "data": [
            ["f1", 0.1235],
            ["interval", [0.1, 0.9877]],
            ["levels.1.f1", 0.5],
            ["levels.1.n", 2],
            ["nothing", None],
            ["failed", ["7, no answer"]],
        ],
    }


def test_cells_are_strict_json_and_long_texts_are_cut() -> None:
    frame = pd.DataFrame({"text": ["x" * MAX_CELL, "x" * (MAX_CELL + 1)], "n": [math.nan, -math.inf]})
    frame["labels"] = [np.array(["a", "b"], dtype=object), np.array([], dtype=object)]
    rows = json.loads(json.dumps(preview_frame(frame), allow_nan=False))["data"]
    assert rows[0] == ["x" * MAX_CELL, None, ["a", "b"]]
    assert rows[1] == ["x" * (MAX_CELL - 1) + "…", "-inf", []]


def test_resources_show_what_they_are_and_no_secret() -> None:
    encoder = datasets.EncoderDataset(model="embedded", max_length=32)
    assert ["model", "embedded"] in encoder.preview()["data"]
    assert ["max_length", 32] in encoder.preview()["data"]
    llm = datasets.LLMDataset(
        client="openai",
        recordings="none",
        cache="answers.sqlite",
        settings={"model": "m"},
        credentials={"api_key": "s3"},
    )
    assert llm.preview()["data"] == [["client", "openai"], ["answers", "answers.sqlite"], ["model", "m"]]


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_dataset_is_found_by_its_name(name: str) -> None:
    assert getattr(datasets, name).__name__ == name


def test_unknown_dataset_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'PickleDataset'"):
        _ = datasets.PickleDataset


def test_page_shows_what_is_at_its_head_its_sections_and_where_it_lies() -> None:
    page = (
        "<h1>My &amp; data</h1><ul><li><b>1,204</b> predictions</li><li><b>0.8045</b> sample-<i>F1</i></li></ul>"
        '<h2 id="a">Worth</h2><p>x</p><h2>How far to <b>trust</b> this</h2>'
    )
    assert preview_page(page, "file:///report.html")["data"] == [
        ["title", "My & data"],
        ["predictions", "1,204"],
        ["sample-F1", "0.8045"],
        ["sections", "Worth, How far to trust this"],
        ["open", "file:///report.html"],
    ]
