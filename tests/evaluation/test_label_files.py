"""Files of labels: what they may look like, and the figures of the reference scorer."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from amazon import AMAZON, needs_amazon
from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation import label_files


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    gold, pred, hierarchy = (tmp_path / n for n in ("gold.txt", "pred.csv", "hierarchy.txt"))
    gold.write_text("0\ta,b\n1\ta\n2\tc\n")
    pred.write_text('\ufeffid,labels\n0,"a, b"\n1,b\n9,c\n', encoding="utf-8")
    hierarchy.write_text("a\tb\n")
    return gold, pred, hierarchy


def test_files_without_and_with_a_hierarchy(files: tuple[Path, Path, Path]) -> None:
    gold, pred, hierarchy = files
    result = label_files.evaluate_files(gold, pred)
    assert result["sample_f1"] == pytest.approx(1 / 3)
    assert result["exact_match"] == pytest.approx(1 / 3)
    assert (result["n_docs"], result["missing"]) == (3, 1)
    assert "per_level" not in result
    assert "path_consistency" not in result
    more = label_files.evaluate_files(gold, pred, hierarchy)
    assert more["path_consistency"] == pytest.approx(2 / 3)
    assert more["per_level"]["2"]["n_pred"] == 2
    assert {k: more[k] for k in result} == result


def test_gold_of_leaves_alone_is_told(files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gold, pred, hierarchy = files
    gold.write_text("0\tb\n1\ta,b\n")
    assert label_files.main([str(gold), str(pred), "--hierarchy", str(hierarchy)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["loose_gold_sets"] == 1
    assert printed.err == (
        f"Warning: {gold}: 1 gold label sets lack parents of their classes, which costs predictions that have them; "
        "write each class with its way to a root\n"
    )


def test_both_forms_read_the_same(tmp_path: Path) -> None:
    tabs, commas = tmp_path / "a.txt", tmp_path / "a.csv"
    tabs.write_bytes(b"0\t1,2\r\n\r\nx\t\r\n")
    commas.write_text('id,label\n0,"1,2"\n\nx,""\n')
    expected = {"0": frozenset({"1", "2"}), "x": frozenset()}
    assert label_files.read_label_file(tabs) == label_files.read_label_file(commas) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"0\ta\n1 b\n", ":2: the line has no TAB"),
        (b"0\ta\n0\tb\n", ":2: document '0' occurs above"),
        (b"\ta\n", ":1: no document id"),
        (b"0\ta\n1\t\xff\n", ":2: byte 3 of the line is not UTF-8"),
        (b"id,labels\n0,\xff\n", "not UTF-8"),
        (b"0,1\n1,2\n", ":1: neither"),
        (b"id,labels\n0,a,b\n", ":2: 3 columns"),
        (b'id,labels\n0,"a"b\n', ":2: "),
        (b"id,labels\n0,a\n0,b\n", ":3: document '0' occurs above"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        label_files.read_label_file(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gold_without_a_document_is_refused(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("id,labels\n")
    with pytest.raises(InputError, match="no document"):
        label_files.evaluate_files(files[0], files[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [("a\tb\nb\ta\n", "cycle"), ("a b\n", ":1: the line has no TAB"), ("a\ta\n", "own parent")],
)
def test_a_bad_hierarchy_is_refused(files: tuple[Path, Path, Path], content: str, message: str) -> None:
    files[2].write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        label_files.evaluate_files(*files)
    assert str(files[2]) in str(caught.value)


def test_nothing_predicted_and_nothing_gold(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text("0\t\n")
    assert label_files.evaluate_files(path, path)["sample_f1"] == 1.0


def test_main_prints_json_or_one_line(files: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    gold, pred, hierarchy = map(str, files)
    assert label_files.main([gold, pred, "--hierarchy", hierarchy]) == 0
    assert json.loads(capsys.readouterr().out)["n_docs"] == 3
    assert label_files.main([gold, pred + ".none"]) == 1
    assert label_files.main([gold, pred, "--hierarchy", hierarchy + ".none"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line[:7] for line in captured.err.splitlines()] == ["Error: "] * 2


@needs_amazon
@pytest.mark.parametrize("form", ["csv", "tabs"])
def test_amazon_agrees_with_the_reference_scorer(form: str, tmp_path: Path) -> None:
    arguments = [str(AMAZON / "test_doc2labels.txt"), str(AMAZON / "seed_submission.csv")]
    if form == "tabs":
        with (AMAZON / "seed_submission.csv").open(newline="") as handle:
            lines = [f"{row['id']}\t{row['labels']}\n" for row in csv.DictReader(handle)]
        arguments[1] = str(tmp_path / "predicted.txt")
        Path(arguments[1]).write_text("".join(lines))
    hierarchy = ["--hierarchy", str(AMAZON / "class_hierarchy.txt")]
    command = [sys.executable, "-m", "hmltc_kedro.metrics", *arguments, *hierarchy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    expected = {
        **{"n_docs": 19658, "missing": 0, "sample_f1": 0.635748, "exact_match": 0.407722},
        **{"macro_f1": 0.3229, "micro_f1": 0.638011, "path_consistency": 1.0},
    }
    assert {k: round(result[k], 6) for k in expected} == expected
    assert round(result["mean_labels"], 4) == 2.9982
    low, high = result["sample_f1_interval"]
    assert low < 0.635748 < high < low + 0.012


@needs_amazon
def test_a_peers_amazon_predictions_score_as_known() -> None:
    other = label_files.evaluate_files(AMAZON / "test_doc2labels.txt", AMAZON / "peer_submission_0.6211.csv")
    assert round(other["sample_f1"], 6) == 0.621131
