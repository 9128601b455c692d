"""Files moved into place when complete, and previews that are JSON."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.io import DatasetError, Version

from hmltc_kedro.datasets.files import CSVDataset, HTMLDataset, JSONDataset, ParquetDataset, PlotlyDataset
from hmltc_kedro.evaluation.label_files import read_label_file

FRAME = pd.DataFrame({"id": ["0", "1"], "n": [1, 2]})
CASES: list[Any] = [
    pytest.param(ParquetDataset, "x.parquet", FRAME, FRAME.assign(n=7), id="parquet"),
    pytest.param(CSVDataset, "x.csv", FRAME, FRAME.assign(n=7), id="csv"),
    pytest.param(JSONDataset, "x.json", {"f1": 0.5, "levels": [1, 2]}, {"f1": 0.7}, id="json"),
    pytest.param(PlotlyDataset, "x.json", go.Figure(go.Bar(y=[1, 2])), go.Figure(go.Bar(y=[3])), id="plotly"),
    pytest.param(HTMLDataset, "x.html", "<p>café\u2028</p>\n", "<p>…</p>", id="text"),
]


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found.astype({"id": "str"}), expected)
    elif isinstance(expected, go.Figure):
        assert json.loads(found.to_json()) == json.loads(expected.to_json())
    else:
        assert found == expected


@pytest.mark.parametrize(("kind", "name", "data", "other"), CASES)
def test_round_trip_existence_and_overwriting(kind: type, name: str, data: Any, other: Any, tmp_path: Path) -> None:
    dataset = kind(filepath=str(tmp_path / "deep" / "er" / name))
    assert not dataset.exists()
    dataset.save(data)
    assert dataset.exists()
    assert_equal(dataset.load(), data)
    dataset.save(other)
    assert_equal(dataset.load(), other)
    assert [file.name for file in (tmp_path / "deep" / "er").iterdir()] == [name]


@pytest.mark.parametrize(("kind", "name", "data", "other"), CASES)
def test_save_that_raises_midway_leaves_the_old_file_and_no_other(
    kind: type,
    name: str,
    data: Any,
    other: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / name
    kind(filepath=str(elsewhere)).save(other)
    path = tmp_path / name
    dataset = kind(filepath=str(path))
    dataset.save(data)
    before = path.read_bytes()
    written = []

    def fail(source: Path, target: Path) -> None:
        written.append(Path(source).read_bytes())
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises((DatasetError, OSError), match="killed"):
            dataset.save(other)
    assert written == [elsewhere.read_bytes()], "the new file was complete before the old one would have gone"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_data_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    dataset = JSONDataset(filepath=str(path))
    dataset.save({"a": 1})
    with pytest.raises(DatasetError):
        dataset.save({"a": 1, "b": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("kind", "name", "data", "other"), CASES[:-1])  # Kedro-Viz has no view of a text
def test_preview_is_json(kind: type, name: str, data: Any, other: Any, tmp_path: Path) -> None:
    dataset = kind(filepath=str(tmp_path / name))
    dataset.save(data)
    assert json.loads(json.dumps(dataset.preview()))


def test_parquet_preview_shows_nested_lists_as_lists(tmp_path: Path) -> None:
    dataset = ParquetDataset(filepath=str(tmp_path / "x.parquet"))
    dataset.save(
        pd.DataFrame(
            {
                "doc_id": [str(i) for i in range(20)],
                "paths": [[["a", "b"], ["c"]]] * 20,
                "scores": [[0.5, 0.25]] * 20,
                "kept": [True] * 20,
                "n": np.arange(20),
            }
        )
    )
    preview = json.loads(json.dumps(dataset.preview(nrows=2)))
    assert preview == {
        "index": [0, 1],
        "columns": ["doc_id", "paths", "scores", "kept", "n"],
        "data": [[str(i), [["a", "b"], ["c"]], [0.5, 0.25], True, i] for i in range(2)],
    }


def test_parquet_preview_of_missing_values_is_strict_json(tmp_path: Path) -> None:
    dataset = ParquetDataset(filepath=str(tmp_path / "x.parquet"))
    dataset.save(pd.DataFrame({"loss": [np.nan, 0.5], "note": ["x", None]}))
    preview = json.loads(json.dumps(dataset.preview(), allow_nan=False))
    assert preview["data"] == [[None, "x"], [0.5, None]]


def test_parquet_preview_of_an_empty_frame_has_the_columns(tmp_path: Path) -> None:
    dataset = ParquetDataset(filepath=str(tmp_path / "x.parquet"))
    dataset.save(FRAME.iloc[:0])
    assert dataset.preview() == {"index": [], "columns": ["id", "n"], "data": []}


def test_optional_file_that_is_missing_is_an_empty_object(tmp_path: Path) -> None:
    path = str(tmp_path / "x.json")
    assert JSONDataset(filepath=path, optional=True).load() == {}
    with pytest.raises(DatasetError):
        JSONDataset(filepath=path).load()
    JSONDataset(filepath=path, optional=True).save({"n": 1})
    assert JSONDataset(filepath=path, optional=True).load() == {"n": 1}


def test_text_is_utf8_whatever_the_machines_encoding_is(tmp_path: Path) -> None:
    HTMLDataset(filepath=str(tmp_path / "x.html")).save("café")
    assert (tmp_path / "x.html").read_bytes() == b"caf\xc3\xa9"


# ---------------------------------------------------------------------- spreadsheets


def test_csv_has_no_formula_and_comes_back_as_it_was(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": ["=HYPERLINK(1)", "007", "-5", "@x", "NA", "'x"], "labels": ["1", "2,3", "", "-a", "4", "5"]}
    )
    path = tmp_path / "submission.csv"
    dataset = CSVDataset(
        filepath=str(path), load_args={"dtype": "str", "keep_default_na": False}, save_args={"index": False}
    )
    dataset.save(frame)
    written = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert written["id"].tolist() == ["'=HYPERLINK(1)", "007", "-5", "'@x", "NA", "'x"]
    assert written["labels"].tolist() == ["1", "2,3", "", "'-a", "4", "5"]
    pd.testing.assert_frame_equal(dataset.load(), frame)
    assert read_label_file(path)["=HYPERLINK(1)"] == {"1"}
    assert read_label_file(path)["@x"] == {"-a"}


@pytest.mark.parametrize(("kind", "name", "data", "other"), CASES)
def test_versions_are_kept_as_kedro_does(kind: type, name: str, data: Any, other: Any, tmp_path: Path) -> None:
    for version, value in (("1", data), ("2", other)):
        kind(filepath=str(tmp_path / name), version=Version(None, version)).save(value)
    assert_equal(kind(filepath=str(tmp_path / name), version=Version("1", None)).load(), data)
    assert_equal(kind(filepath=str(tmp_path / name), version=Version(None, None)).load(), other)


@pytest.mark.parametrize(("kind", "name", "data", "other"), CASES)
def test_other_file_systems_are_written_to(kind: type, name: str, data: Any, other: Any, tmp_path: Path) -> None:
    path = f"memory://{tmp_path}/{name}"
    kind(filepath=path).save(data)
    assert_equal(kind(filepath=path).load(), data)
