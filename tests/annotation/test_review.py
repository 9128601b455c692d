"""What goes out to people for review, in three formats, and what of their answers becomes labels."""

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from hmltc_kedro.annotation import argilla, label_studio
from hmltc_kedro.annotation.review import (
    ENDINGS,
    Format,
    Imported,
    choose_format,
    choose_items,
    import_answers,
    write_items,
)
from hmltc_kedro.annotation.review_items import ReviewItem
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

FORMATS = list(ENDINGS.values())
FILES: dict[Format, str] = {kind: f"review{ending}" for ending, kind in ENDINGS.items()}

DOCUMENTS = pd.DataFrame(
    {
        "split": ["train", *["test"] * 4],
        "doc_id": ["a", "a", "b", "-c/1", "d"],
        "text": ["leash", "bed, for\n“dogs”", "=HYPERLINK(1)", "rake", "cat"],
    }
)
PREDICTIONS = pd.DataFrame(
    {
        "doc_id": ["a", "b", "-c/1", "d"],
        "paths": [[["an", "do", "be"], ["an", "ca", "be"]], [["ga"]], [["ga", "to"]], [["an", "ca"]]],
        "scores": [[0.75, 0.5], [0.25], [0.9], [0.6]],
    }
)
DIAGNOSTICS = pd.DataFrame(
    {"doc_id": ["b", "d", "a", "-c/1"], "doubt": [0.9, 0.8, 0.5, 0.1], "expected_f1": [0.2, 0.5, 0.6, 0.9]}
)
CANDIDATES = pd.DataFrame(
    [
        ("train", "b", ["an"]),
        ("test", "b", ["ga"]),
        ("test", "b", ["ga", "to"]),
        ("test", "b", ["an", "ca"]),
        ("test", "a", ["an", "ca", "ct"]),
    ],
    columns=["split", "doc_id", "path"],
)
NO_LABELS = pd.DataFrame({"split": pd.Series(dtype="str"), "doc_id": pd.Series(dtype="str")})


@pytest.fixture
def items(diamond: Taxonomy) -> list[ReviewItem]:
    return choose_items(DIAGNOSTICS, PREDICTIONS, CANDIDATES, DOCUMENTS, NO_LABELS, diamond, 100)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# ---------------------------------------------------------------------- what is chosen


def test_most_doubtful_come_first_with_what_else_might_be_right(items: list[ReviewItem]) -> None:
    assert [item.doc_id for item in items] == ["b", "d", "a", "-c/1"]
    assert items[0] == ReviewItem("test", "b", "=HYPERLINK(1)", ((1,),), (0.25,), ((1, 6), (0, 3)), 0.9, 0.2)
    assert items[1].runners_up == () and items[2].paths == ((0, 2, 4), (0, 3, 4))


def test_labelled_documents_are_left_out_before_they_are_counted(diamond: Taxonomy) -> None:
    labels = pd.DataFrame({"split": ["test", "train"], "doc_id": ["b", "a"]})
    chosen = choose_items(DIAGNOSTICS, PREDICTIONS, CANDIDATES, DOCUMENTS, labels, diamond, 2)
    assert [item.doc_id for item in chosen] == ["d", "a"]
    whole = DOCUMENTS[["split", "doc_id"]]
    with pytest.raises(InputError, match="there is nothing to review: every test document has a label"):
        choose_items(DIAGNOSTICS, PREDICTIONS, CANDIDATES, DOCUMENTS, whole, diamond, 2)


def test_entries_of_other_documents_are_refused(diamond: Taxonomy) -> None:
    with pytest.raises(InputError, match="that are not predicted; run `kedro refresh`"):
        choose_items(DIAGNOSTICS, PREDICTIONS.iloc[1:], CANDIDATES, DOCUMENTS, NO_LABELS, diamond, 2)


# ---------------------------------------------------------------------- files


def test_format_is_told_by_the_ending_or_by_the_user() -> None:
    assert [choose_format(Path(f"x{ending}"), None) for ending in (".csv", ".JSON", ".jsonl")] == FORMATS
    assert choose_format(Path("x.json"), "argilla") == "argilla"
    with pytest.raises(InputError, match=r"^x.txt: the ending says no format; use .csv, .json, .jsonl, or --format$"):
        choose_format(Path("x.txt"), None)


def test_table_waits_for_better_classes(items: list[ReviewItem], diamond: Taxonomy, tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    assert write_items(items, path, "csv", diamond) == [path]
    rows = read_rows(path)
    assert rows[0] == {
        "split": "test",
        "doc_id": "b",
        "classes": "garden",
        "text": "'=HYPERLINK(1)",
        "prediction": "garden",
        "candidates": "garden > tools; animals > cats",
        "doubt": "0.900",
        "expected_f1": "0.200",
    }
    assert rows[2]["classes"] == "animals > dogs > pet beds; animals > cats > pet beds"
    assert rows[2]["text"] == "bed, for\n“dogs”"
    assert rows[3]["doc_id"] == "'-c/1"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfsplit,doc_id,classes,")


def test_label_studio_gets_tasks_with_predictions_and_a_menu(
    items: list[ReviewItem], diamond: Taxonomy, tmp_path: Path
) -> None:
    """As in https://labelstud.io/guide/predictions and https://labelstud.io/tags/taxonomy."""
    files = write_items(items, tmp_path / "review.json", "label-studio", diamond)
    assert [file.name for file in files] == ["review.json", "review.xml"]
    tasks = json.loads(files[0].read_text("utf-8"))
    assert tasks[2] == {
        "data": {
            "split": "test",
            "doc_id": "a",
            "text": "bed, for\n“dogs”",
            "candidates": "animals > cats > cat toys",
            "doubt": 0.5,
            "expected_f1": 0.6,
        },
        "predictions": [
            {
                "model_version": "hmltc",
                "score": 0.75,
                "result": [
                    {
                        "from_name": "classes",
                        "to_name": "text",
                        "type": "taxonomy",
                        "value": {"taxonomy": [["animals", "dogs", "pet beds"], ["animals", "cats", "pet beds"]]},
                    }
                ],
            }
        ],
    }
    view = ElementTree.fromstring(files[1].read_text("utf-8"))
    menu = view.find("Taxonomy")
    assert view.tag == "View" and menu is not None
    assert {tag.attrib["name"]: tag.attrib["value"] for tag in view.iter("Text")} == {
        "text": "$text",
        "candidates": "$candidates",
    }
    assert (menu.attrib["name"], menu.attrib["toName"]) == ("classes", "text")
    assert [choice.attrib["value"] for choice in menu.findall("Choice/Choice/Choice")] == [
        *("pet beds", "pet beds", "cat toys")
    ]


def test_siblings_of_one_name_are_told_apart_in_the_menu(tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_edges([("r", '<a> & "b"'), ("1", "toys"), ("2", "toys")], [("r", "1"), ("r", "2")])
    item = ReviewItem("test", "a", "x", ((0, 2),), (0.5,), (), 0.5, 0.5)
    files = write_items([item], tmp_path / "review.json", "label-studio", taxonomy)
    choices = [choice.attrib["value"] for choice in ElementTree.fromstring(files[1].read_text("utf-8")).iter("Choice")]
    assert choices == ['<a> & "b"', "toys (1)", "toys (2)"]
    answer = annotate(json.loads(files[0].read_text("utf-8"))[0], [['<a> & "b"', "toys (2)"]])
    files[0].write_text(json.dumps([answer]), "utf-8")
    answers = label_studio.read_label_studio(files[0], taxonomy)
    assert answers.table.rows["value"].tolist() == ["r > 2"]


def test_taxonomy_may_be_too_large_for_a_menu(items: list[ReviewItem], tmp_path: Path) -> None:
    rooms = [(f"{n}{side}", f"{n}{side}") for n in range(21) for side in "ab"]
    many = Taxonomy.from_edges(rooms, [(f"{n}{a}", f"{n + 1}{b}") for n in range(20) for a in "ab" for b in "ab"])
    with pytest.raises(InputError, match=r"paths are too many for a menu of Label Studio \(20,000\); use --format csv"):
        write_items(items, tmp_path / "review.json", "label-studio", many)
    records = [json.loads(x) for x in write_text_question(items, tmp_path, many).read_text("utf-8").splitlines()]
    assert records[2]["suggestions"]["classes"]["value"] == "0a > 1a > 2a; 0a > 1b > 2a"
    assert not (tmp_path / "review.json").exists()


def write_text_question(items: list[ReviewItem], folder: Path, taxonomy: Taxonomy) -> Path:
    """Write records of a taxonomy with more paths than Argilla takes as labels."""
    paths = (((0, 2, 4), (0, 3, 4)), (0.75, 0.5))
    items = [*items[:2], ReviewItem("test", "a", "x", *paths, (), 0.5, 0.5)]
    files = write_items(items, folder / "review.jsonl", "argilla", taxonomy)
    settings = json.loads(files[1].read_text("utf-8"))
    assert settings["questions"][0]["settings"] == {"type": "text", "use_markdown": False}
    return files[0]


def test_argilla_gets_records_and_settings(items: list[ReviewItem], diamond: Taxonomy, tmp_path: Path) -> None:
    """As `Record.from_dict` and `Settings.from_json` of Argilla 2 read them."""
    files = write_items(items, tmp_path / "review.jsonl", "argilla", diamond)
    assert [file.name for file in files] == ["review.jsonl", "review.settings.json"]
    records = [json.loads(line) for line in files[0].read_text("utf-8").split("\n")[:-1]]
    assert records[2] == {
        "id": "test/a",
        "fields": {"text": "bed, for\n“dogs”", "candidates": "animals > cats > cat toys"},
        "metadata": {"doubt": 0.5, "expected_f1": 0.6},
        "suggestions": {
            "classes": {
                "value": ["animals > dogs > pet beds", "animals > cats > pet beds"],
                "score": [0.75, 0.5],
                "agent": "hmltc",
            }
        },
        "responses": {},
        "vectors": {},
    }
    question = json.loads(files[1].read_text("utf-8"))["questions"][0]
    assert (question["name"], question["settings"]["type"]) == ("classes", "multi_label_selection")
    values = [option["value"] for option in question["settings"]["options"]]
    assert len(values) == 8 and set(records[2]["suggestions"]["classes"]["value"]) < set(values)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_file_is_overwritten(items: list[ReviewItem], diamond: Taxonomy, tmp_path: Path, kind: Format) -> None:
    path = tmp_path / FILES[kind]
    files = write_items(items, path, kind, diamond)
    files[0].write_text("edited", "utf-8")
    with pytest.raises(InputError, match=f"{path.name}: there already; import it first, move it away or give another"):
        write_items(items, path, kind, diamond)
    assert files[0].read_text("utf-8") == "edited"
    with pytest.raises(InputError, match="no such folder; make it or give another one"):
        write_items(items, tmp_path / "nowhere" / FILES[kind], kind, diamond)


# ---------------------------------------------------------------------- back


def annotate(task: dict[str, Any], paths: list[list[str]], **more: Any) -> dict[str, Any]:
    """Return a task as Label Studio exports it with an annotation."""
    result = {"from_name": "classes", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": paths}}
    annotation = {"id": 1, "was_cancelled": False, "result": [result] if paths else [], "completed_by": 1, **more}
    return {"id": 7, **task, "annotations": [*task.get("annotations", []), annotation]}


def answer(path: Path, kind: Format, answers: dict[str, str]) -> None:
    """Edit an exported file as a person would with the tool: classes by document; "" for no answer."""
    if kind == "csv":
        rows = read_rows(path)
        for row in rows:
            row["classes"] = answers.get(row["doc_id"].removeprefix("'"), "")
        write_rows(path, rows)
    elif kind == "label-studio":
        tasks = json.loads(path.read_text("utf-8"))
        paths = {k: [p.split(" > ") for p in v.split("; ")] for k, v in answers.items()}
        answered = [annotate(t, paths[i]) if (i := t["data"]["doc_id"]) in paths else t for t in tasks]
        path.write_text(json.dumps(answered), "utf-8")
    else:
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for record in records:
            if found := answers.get(record["id"].removeprefix("test/")):
                record["responses"] = {"classes": [{"value": found.split("; "), "user_id": "me"}]}
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


@pytest.fixture(params=FORMATS)
def reviewed(request: pytest.FixtureRequest, items: list[ReviewItem], diamond: Taxonomy, tmp_path: Path) -> Path:
    """Return an exported file in which two of the four documents are answered."""
    path: Path = tmp_path / FILES[request.param]
    write_items(items, path, request.param, diamond)
    answer(path, request.param, {"b": "garden > tools; animals > cats", "-c/1": "garden > tools"})
    return path


def take(path: Path, labels: Path, taxonomy: Taxonomy) -> Imported:
    return import_answers(path, labels, DOCUMENTS, taxonomy, choose_format(path, None))


def test_answers_become_labels(reviewed: Path, diamond: Taxonomy, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    done = take(reviewed, labels, diamond)
    as_predicted = 1 if reviewed.suffix == ".csv" else 0
    assert done == Imported(added=2, changed=0, unchanged=0, skipped=2, as_predicted=as_predicted)
    expected = "split,doc_id,classes\ntest,b,garden > tools; animals > cats\ntest,-c/1,garden > tools\n"
    assert labels.read_text("utf-8") == expected
    stamp = labels.stat().st_mtime_ns
    assert take(reviewed, labels, diamond) == Imported(0, 0, 2, 2, as_predicted)
    assert labels.stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_known_labels_are_replaced_where_they_stand(reviewed: Path, diamond: Taxonomy, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("\ufeffdoc_id,note,split,classes\na,mine,train,do\nb,sure?,test,ga\n-c/1,,test,to\n", "utf-8")
    assert take(reviewed, labels, diamond).describe().startswith("0 added, 1 changed, 1 unchanged")
    assert labels.read_text("utf-8").splitlines() == [
        "doc_id,note,split,classes",
        "a,mine,train,do",
        "b,sure?,test,garden > tools; animals > cats",
        "-c/1,,test,to",
    ]


def test_nothing_is_written_if_anything_is_wrong(reviewed: Path, diamond: Taxonomy, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("split,doc_id,classes\ntrain,zz,do\n", "utf-8")
    with pytest.raises(InputError, match=r"labels.csv:2: train has no document 'zz'"):
        take(reviewed, labels, diamond)
    labels.unlink()
    reviewed.write_text(reviewed.read_text("utf-8").replace("tools", "tolls"), "utf-8")
    with pytest.raises(InputError, match=r"unknown class 'tolls', in 'garden > tolls'"):
        take(reviewed, labels, diamond)
    assert not labels.exists()


def test_failed_write_leaves_the_old_file(
    reviewed: Path, diamond: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("split,doc_id,classes\ntrain,a,do\n", "utf-8")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        take(reviewed, labels, diamond)
    assert labels.read_text("utf-8") == "split,doc_id,classes\ntrain,a,do\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_table_may_have_been_saved_by_a_spreadsheet(diamond: Taxonomy, tmp_path: Path) -> None:
    path, labels = tmp_path / "review.csv", tmp_path / "labels.csv"
    path.write_bytes("\ufeffsplit,doc_id,classes\r\ntest,'-c/1,tools\r\n,,\r\ntest,a,\r\n".encode())
    assert take(path, labels, diamond) == Imported(1, 0, 0, 1, 0)
    assert labels.read_text("utf-8") == "split,doc_id,classes\ntest,-c/1,tools\n"


TASK = {"data": {"split": "test", "doc_id": "a", "text": "x"}}
RECORD = {"id": "test/a", "fields": {"text": "x"}}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("review.json", "[{", "review.json: not JSON (*); export it again"),
        ("review.json", "{}", "review.json: no list of tasks; export the project as JSON"),
        (
            "review.json",
            json.dumps([TASK, {"text": "x", "classes": []}]),
            "review.json, task 2: no split and doc_id in its data; export as JSON (not JSON-MIN) what was exported "
            "here",
        ),
        (
            "review.json",
            json.dumps([annotate(annotate(TASK, [["animals"]]), [["garden"]])]),
            "review.json, task 1: 2 answers that differ: `animals`, and `garden`; keep one",
        ),
        (
            "review.json",
            json.dumps([annotate(TASK, [["animals", "tools"]])]),
            "review.json, task 1: in 'animals > tools', 'tools' is not a child of 'animals'; correct the path, the "
            "ways to it: `garden > tools`",
        ),
        ("review.jsonl", json.dumps(RECORD) + "\n{", "review.jsonl:2: not JSON (*); export it again"),
        (
            "review.jsonl",
            json.dumps({**RECORD, "id": 7}),
            "review.jsonl:1: no id <split>/<doc_id>; write records with to_dict, as they were exported",
        ),
        (
            "review.jsonl",
            json.dumps({**RECORD, "responses": {"classes": [{"value": ["garden"]}, {"value": "animals"}]}}),
            "review.jsonl:1: 2 answers that differ: `garden`, and `animals`; keep one",
        ),
        (
            "review.csv",
            "split,doc_id,classes\ntest,a,dogs,cats\n",
            "review.csv:2: 4 fields for 3 columns; quote texts that hold a comma",
        ),
        (
            "review.csv",
            "split;doc_id;classes\ntest;a;dogs\n",
            "review.csv:1: ; between the columns where CSV has a comma; save it with commas",
        ),
        (
            "review.csv",
            "split,doc_id,classes\ntest,a,dogs\ntest,a,cats\n",
            "review.csv:3: document 'a' of test is already on line 2; join the two, with ; between classes",
        ),
        ("review.csv", None, "review.csv: no such file; give the one that was reviewed"),
    ],
)
def test_what_cannot_be_taken_is_one_line(
    diamond: Taxonomy, tmp_path: Path, name: str, content: str | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(InputError) as error:
        take(tmp_path / name, tmp_path / "labels.csv", diamond)
    begin, _, end = expected.partition("*")
    found = str(error.value).replace(f"{tmp_path}/", "")
    assert (found.startswith(begin) and found.endswith(end)) if end else found == expected


def test_cancelled_and_agreeing_annotations(diamond: Taxonomy, tmp_path: Path) -> None:
    cancelled = annotate(TASK, [["garden"]], was_cancelled=True)
    agreed = annotate(annotate(cancelled, [["animals"], ["garden"]]), [["garden"], ["animals"]])
    own = annotate({"data": {"split": "test", "doc_id": "b"}}, [])
    own["annotations"][0]["result"] = [{"type": "choices", "value": {"choices": ["tools"]}}, {"type": "rating"}]
    path = tmp_path / "review.json"
    path.write_text(json.dumps([agreed, own, annotate({"data": {"split": "test", "doc_id": "d"}}, [])]), "utf-8")
    answers = label_studio.read_label_studio(path, diamond)
    assert answers.table.rows[["key", "value"]].to_numpy().tolist() == [
        ["test/a", "garden; animals"],
        ["test/b", "tools"],
    ]
    assert answers.skipped == 1


def test_argilla_may_write_one_list(tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(json.dumps([RECORD, {**RECORD, "responses": {"classes": [{"value": ["garden"]}]}}]), "utf-8")
    answers = argilla.read_argilla(path)
    assert answers.table.rows["value"].tolist() == ["garden"] and answers.skipped == 1
