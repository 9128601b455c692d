"""`kedro status` and `kedro refresh` as a user meets them: on 60 documents, in the environment `test`."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fake_llm import KEY, Body, FakeServer, Response, completion, prompt_of, serve
from hmltc_kedro.augmentation.reviews import choose_path
from hmltc_kedro.corpus.tensors import read_tensors
from hmltc_kedro.llm import read_answers
from hmltc_kedro.pseudo_labels.starvation import count_silver_labels
from hmltc_kedro.taxonomy import Taxonomy
from kedro_project import REPOSITORY, Finished, Project

TRAIN = "train/train_corpus.txt"
KEYWORDS = "class_related_keywords.txt"
PLACES = {
    "enriched_taxonomy": "03_primary",
    "class_embeddings": "04_feature",
    "document_embeddings": "04_feature",
    "silver_labels": "05_model_input",
    "starved_classes": "05_model_input",
    "synthetic_documents": "05_model_input",
    "predictions": "07_model_output",
}


def answer(body: Body, _: int) -> Response:
    """Return what a well-behaved model would say: a function of the prompt alone."""
    name, *others = body["response_format"]["json_schema"]["schema"]["properties"]
    if others:
        return completion(json.dumps({"choices": [1], "confidence": "high"}))
    word = str(sum(prompt_of(body).encode()))
    return completion(json.dumps({name: f"things with {word}" if name == "description" else [f"thing {word}"]}))


def find_nodes(out: str) -> list[str]:
    """Return the node of each line that says one runs."""
    return re.findall(r"INFO +[a-z_]+: ([a-z_]+)$", out, re.MULTILINE)


def read_status(project: Project, *arguments: str) -> dict[str, Any]:
    done = project.kedro("status", "--env=test", "--json", *arguments)
    status: dict[str, Any] = json.loads(done.out)
    assert done.code == (3 if status["stale"] or status["missing"] else 0), done.text
    return status


def find_stale(project: Project, *arguments: str) -> dict[str, tuple[str, ...]]:
    """Return state and reasons by entry, or by node in brackets, of what is not fresh."""
    entries = read_status(project, *arguments)["entries"]
    return {e["entry"] or f"({e['node']})": (e["state"], *e["reasons"]) for e in entries if e["state"] != "fresh"}


def refresh(project: Project, *arguments: str) -> Finished:
    done = project.kedro("refresh", "--env=test", *arguments)
    assert done.code == 0, done.text
    return done


def read(project: Project, entry: str, dataset: str = "sample") -> pd.DataFrame:
    return pd.read_parquet(project.folder / "data" / PLACES[entry] / dataset / "test" / f"{entry}.parquet")


def find_ways(project: Project) -> dict[str, list[int]]:
    """Return the way to each starved class that reviews are asked for by."""
    taxonomy = Taxonomy.from_frame(read(project, "enriched_taxonomy"))
    counts = count_silver_labels(read(project, "silver_labels"), taxonomy)
    starved = read(project, "starved_classes")["class_id"]
    return {c: choose_path(taxonomy, taxonomy.index[c], counts) for c in starved}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


# ---------------------------------------------------------------------- the story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, FakeServer]]:
    """Return a project of its own after its first run, with a language model that counts what it is asked."""
    with serve(answer) as (server, url):
        project = Project(tmp_path_factory.mktemp("story"))
        globals_ = project.folder / "conf" / "test" / "globals.yml"
        globals_.write_text(
            f"{globals_.read_text('utf-8')}llm: openai\nllm_model: fake\nllm_base_url: {url}\n", "utf-8"
        )
        project.use_short_encoder("test")
        (project.folder / "conf" / "test" / "credentials.yml").write_text(f"openai: {{base_url_key: {KEY}}}\n", "utf-8")
        project.run("--env=test")
        yield project, server


@pytest.mark.slow
def test_one_keyword_changes(story: tuple[Project, FakeServer]) -> None:
    project, server = story
    assert find_stale(project) == {}
    asked = server.total
    answers = project.folder / "data/03_primary/sample/llm_answers.sqlite"
    before = {"ways": find_ways(project), "keys": set(read_answers(answers)["key"])}
    assert asked == len(before["keys"]) > 49

    edit(project.raw / "sample" / KEYWORDS, "kettles:", "kettles:whistling pot,")
    stale = find_stale(project)
    untouched = {"documents", "rejected_documents", "document_embeddings", "document_neighbours"}
    assert set(stale) == {e["entry"] or f"({e['node']})" for e in read_status(project)["entries"]} - untouched
    assert stale.pop("taxonomy") == ("stale", "keywords of 1 class changed (`raw_keywords`)")
    assert set(stale.values()) == {("stale", "depends on `taxonomy`")}
    table = project.kedro("status", "--env=test")
    assert (table.code, "Traceback" in table.text) == (0, False)
    assert re.search(
        r"^ingest +taxonomy .* stale: keywords of 1 class changed \(`raw_keywords`\)$", table.out, re.MULTILINE
    )
    assert server.total == asked

    done = refresh(project)
    makers = {e["node"] for e in read_status(project)["entries"] if (e["entry"] or "") not in untouched}
    unchanged = re.search(r"Left alone, what they read is as it was: (.*)", done.out)
    left = set(unchanged[1].split(", ")) if unchanged else set()
    assert set(find_nodes(done.out)) == makers - left
    assert {"build_taxonomy", "describe_classes", "embed_classes", "score_candidates"} <= set(find_nodes(done.out))
    assert re.findall(r"Encoding (\d+) texts", done.out)[:2] == [
        "2",
        "0",
    ]  # text and template, no path
    assert find_stale(project) == {}

    new = read_answers(answers).query("key not in @before['keys']")
    kettles = read(project, "enriched_taxonomy").set_index("name")["class_id"]["kettles"]
    assert list(new.loc[new["task"] == "describe_class", "subject"]) == [kettles]
    # Labels of other classes move too: of two ways to a starved class the other may have more documents now.
    anew = {c for c, way in find_ways(project).items() if c == kettles or way != before["ways"].get(c)}
    assert set(new.loc[new["task"] == "write_reviews", "subject"]) == anew
    assert set(new["task"]) <= {"describe_class", "write_reviews", "judge_document"}, "other candidates, other offers"
    assert server.total == asked + len(new)

    # The same as a clean, full run with the new keyword.
    project.add_dataset("clean", vectors=False)
    project.run("--env=test", "--params=dataset=clean")
    for entry in ("silver_labels", "synthetic_documents", "predictions"):
        ours, clean = read(project, entry), read(project, entry, "clean")
        assert [list(ids) for ids in ours["class_ids"]] == [list(ids) for ids in clean["class_ids"]], entry
    for entry in ("class_embeddings", "document_embeddings"):
        folders = [project.folder / "data/04_feature" / name / "test" for name in ("sample", "clean")]
        ours_, clean_ = (read_tensors(folder / f"{entry}.safetensors") for folder in folders)
        for name, array in ours_.arrays.items():
            np.testing.assert_allclose(np.asarray(array), np.asarray(clean_[name]), atol=1e-5)


@pytest.mark.slow
def test_nothing_is_left_to_refresh_and_nothing_is_asked(story: tuple[Project, FakeServer]) -> None:
    project, server = story
    asked = server.total
    done = refresh(project)
    assert find_nodes(done.out) == []
    assert "Nothing to refresh" in done.out
    assert server.total == asked


@pytest.mark.slow
def test_new_documents_are_encoded_and_no_others(story: tuple[Project, FakeServer]) -> None:
    project, server = story
    with (project.raw / "sample" / TRAIN).open("a", encoding="utf-8") as corpus:
        corpus.write("".join(f"new{i}\tthis kettle number {i} boils in no time\n" for i in range(5)))
    assert find_stale(project)["documents"] == ("stale", "5 documents added (`raw_train_corpus`)")
    done = refresh(project)
    assert "Encoding 5 texts, 60 more are cached" in done.out
    assert "describe_classes" not in find_nodes(done.out)
    assert find_stale(project) == {}


@pytest.mark.slow
def test_no_record_holds_the_key(story: tuple[Project, FakeServer]) -> None:
    project, server = story
    assert server.keys == {KEY}
    records = list((project.folder / "data").rglob(".*.made.json"))
    assert len(records) > 40
    assert not [path for path in records if KEY in path.read_text("utf-8")]


# ---------------------------------------------------------------------- one thing at a time


@pytest.fixture(scope="module")
def watched(project: Project, first_run: Finished) -> Project:
    """Return the shared project with a dataset `watched`, run by threads."""
    project.add_dataset("watched")
    project.run("--env=test", "--params=dataset=watched", "--runner=ThreadRunner")
    return project


OURS = "--params=dataset=watched"
TAUGHT = {"student", "annotation_scores", "null_probabilities", "calibration"}
"""What comes of annotations and the classifier that saw none."""
AFTER_DECODING = {
    *("predictions", "submission", "metrics", "case_studies"),
    *("document_diagnostics", "class_diagnostics", "run_diagnostics"),
}
"""What decoding gives, and what is made of that alone; the report reads settings besides."""
AFTER_LABELS = {
    *("read_labels", "annotate_documents", "train_student", "calibrate_decisions", "package_classifier"),
    *("predict_probabilities", "decode_predictions", "write_submission", "evaluate_predictions", "trace_cases"),
    *("diagnose_documents", "diagnose_classes", "diagnose_run", "write_report"),
}
"""Nodes that hear of what people say."""


@pytest.mark.slow
def test_threads_leave_everything_fresh(watched: Project) -> None:
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_plain_run_still_runs_every_node(watched: Project) -> None:
    assert len(find_nodes(watched.run("--env=test", OURS, "--pipeline=ingest"))) == 4
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_parameter_is_named_with_both_values(watched: Project) -> None:
    changed = f"{OURS},train.head.epochs=2"
    stale = find_stale(watched, changed)
    named = ("stale", "train.head.epochs 1 -> 2")
    assert {name: stale.pop(name) for name in ("trained_classifier", "training_history", "report")} == {
        "trained_classifier": named,
        "training_history": named,
        "report": named,
    }
    assert stale == dict.fromkeys(
        {*TAUGHT, "classifier", "class_probabilities", *AFTER_DECODING}, ("stale", "depends on `trained_classifier`")
    )
    assert find_nodes(refresh(watched, changed).out)[:2] == ["train_classifier", "train_student"]
    assert find_stale(watched, changed) == {}
    assert find_stale(watched, OURS)["trained_classifier"] == ("stale", "train.head.epochs 2 -> 1")
    refresh(watched, OURS)


@pytest.mark.slow
def test_other_decoding_trains_nothing_and_encodes_nothing(watched: Project) -> None:
    changed = f"{OURS},infer.decoding.child_threshold=0.3"
    stale = find_stale(watched, changed)
    named = ("stale", "infer.decoding.child_threshold 0.2 -> 0.3")
    for entry in ("classifier", "predictions", "report"):
        assert stale.pop(entry) == named
    assert stale == dict.fromkeys(AFTER_DECODING - {"predictions"}, ("stale", "depends on `predictions`"))
    done = refresh(watched, changed)
    ran = set(find_nodes(done.out))
    assert {"package_classifier", "decode_predictions", "write_report"} <= ran
    assert not ran & {"train_classifier", "train_student", "predict_probabilities", "embed_documents"}
    assert "Encoding" not in done.out
    settings = watched.folder / "data/06_models/watched/test/classifier/settings.json"
    assert json.loads(settings.read_text("utf-8"))["decoding"]["child_threshold"] == 0.3
    assert find_stale(watched, changed) == {}
    refresh(watched, OURS)
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_what_counts_as_starved_concerns_no_score_and_no_label(watched: Project) -> None:
    stale = find_stale(watched, f"{OURS},pseudo_label.starved.threshold=0.5")
    named = ("stale", "pseudo_label.starved.threshold 0.2 -> 0.5")
    assert {entry for entry, words in stale.items() if words == named} == {"starved_classes", "report"}
    assert {"label_statistics", "synthetic_documents", "training_examples", "trained_classifier"} <= set(stale)
    before = {"document_embeddings", "document_neighbours", "view_weights", "candidate_scores", "silver_labels"}
    assert not set(stale) & {*before, "annotations", "annotation_queue", "lexical_view", "class_embeddings"}


@pytest.mark.slow
def test_what_would_be_the_same_is_not_run(watched: Project) -> None:
    changed = f"{OURS},infer.batch_size=16"
    done = refresh(watched, changed, "--pipeline=infer")
    assert find_nodes(done.out)[0] == "predict_probabilities"
    assert "not fresh" not in done.out, "a batch is no part of what was trained"
    refresh(watched, OURS)


@pytest.mark.slow
def test_one_corrected_line_of_labels_runs_what_depends_on_it_and_stands(watched: Project) -> None:
    labels, place = watched.raw / "watched" / "labels.csv", watched.folder / "data"
    predictions = place / "07_model_output/watched/test/predictions.parquet"
    metrics = place / "08_reporting/watched/test/metrics.json"
    n_docs = json.loads(metrics.read_text("utf-8"))["n_docs"]
    table = pd.read_parquet(predictions)
    document = table.loc[table["source"] == "model", "doc_id"].iloc[0]
    wrong, right = (["1", "9"], ["2", "11"]) if "2" not in table["class_ids"].iloc[0] else (["2", "11"], ["1", "9"])

    labels.write_text(f"split,doc_id,classes\ntest,{document},{';'.join(wrong)}\n", "utf-8")
    refresh(watched, OURS)
    edit(labels, ";".join(wrong), ";".join(right))
    stale = find_stale(watched, OURS)
    assert stale.pop("labels") == ("stale", "classes of 1 labelled document changed (`raw_labels`)")
    assert set(stale.values()) == {("stale", "depends on `labels`")}
    made = {"annotation_queue", "annotations", *TAUGHT, "class_probabilities", "classifier", *AFTER_DECODING, "report"}
    assert set(stale) == made
    done = refresh(watched, OURS)
    assert set(find_nodes(done.out)) == AFTER_LABELS
    assert set(re.findall(r"Encoding (\d+) texts", done.out)) == {"0"} and "0 calls" in done.out
    assert find_stale(watched, OURS) == {}

    row = pd.read_parquet(predictions).set_index("doc_id").loc[document]
    assert (list(row["class_ids"]), row["source"], row["fits"]) == (right, "person", True)
    measured = json.loads(metrics.read_text("utf-8"))
    assert measured["n_docs"] == n_docs - 1 and "person" not in measured["by_source"]

    labels.unlink()
    refresh(watched, OURS)
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_deleted_entry_is_made_again_and_nothing_else(watched: Project) -> None:
    path = watched.folder / "data/05_model_input/watched/test/candidate_scores.parquet"
    before = path.read_bytes()
    path.unlink()
    assert find_stale(watched, OURS) == {"candidate_scores": ("missing",)}
    assert find_nodes(refresh(watched, OURS).out) == ["score_candidates"]
    assert path.read_bytes() == before
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_touched_and_rewritten_files_are_fresh(watched: Project) -> None:
    for name in (TRAIN, KEYWORDS):
        path = watched.raw / "watched" / name
        os.utime(path)
        path.write_bytes(path.read_bytes())
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_classifier_changed_by_hand_is_noticed(watched: Project) -> None:
    path = watched.folder / "data/06_models/watched/test/classifier/settings.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"format": ', b'"format":  '))
    assert find_stale(watched, OURS)["classifier"] == ("stale", "the file is not the one that was made")
    path.write_bytes(content)
    assert find_stale(watched, OURS) == {}


@pytest.mark.slow
def test_changed_code_is_named(watched: Project, tmp_path: Path) -> None:
    """The package is copied into a project's `src`, which comes first on Kedro's path."""
    project = Project(tmp_path)
    shutil.copytree(watched.folder / "data", project.folder / "data", dirs_exist_ok=True)
    package = project.folder / "src" / "hmltc_kedro"
    shutil.copytree(REPOSITORY / "src" / "hmltc_kedro", package, ignore=shutil.ignore_patterns("__pycache__"))

    def find_stale_of_copy() -> dict[str, tuple[str, ...]]:
        done = project.kedro_from_shell("status", "--env=test", OURS, "--json")
        entries = json.loads(done.out)["entries"]
        return {e["entry"]: (e["state"], *e["reasons"]) for e in entries if e["state"] != "fresh"}

    labels, decoding = package / "pseudo_labels" / "silver_labels.py", package / "decoding" / "beam.py"
    edit(labels, "def assign_labels(", "# which class is nearest\n\n\ndef assign_labels(")
    edit(labels, '"""', '"""Words on words. ')
    edit(decoding, "block_size: int = 1024", "block_size: int = 2048")
    stale = find_stale_of_copy()
    assert stale["predictions"] == ("stale", "code of decode_predictions changed (beam_search)")
    assert stale["student"] == ("stale", "code of train_student changed (beam_search)"), "it learns label sets"
    asked = {"annotation_queue", "annotations"}  # the second round asks where a student errs that learns label sets too
    after = {"classifier", "class_probabilities", *AFTER_DECODING, "report"}
    assert set(stale) == {*asked, *TAUGHT, *after}, "another place and other comments are no other code"
    edit(package / "pipelines/pseudo_label/nodes.py", "silver labels are kept", "silver labels stay")
    edit(package / "llm/prompts/write_reviews.txt", "\n", " \n")
    stale = find_stale_of_copy()
    assert stale["silver_labels"] == ("stale", "code of assign_silver_labels changed")
    assert stale["synthetic_documents"] == (
        "stale",
        "code of write_synthetic_documents changed (write_reviews.txt)",
    )
    assert not {"candidate_scores", "class_descriptions", "documents"} & set(stale)


@pytest.mark.slow
def test_part_of_the_chain_run_alone_leaves_the_rest_stale(watched: Project) -> None:
    path = watched.raw / "watched" / KEYWORDS
    before = path.read_bytes()
    edit(path, "kettles:", "kettles:spout,")
    watched.run("--env=test", OURS, "--pipeline=ingest")
    stale = find_stale(watched, OURS)
    assert stale["enriched_taxonomy"] == ("stale", "keywords of 1 class changed (`taxonomy`)")
    assert stale["class_descriptions"] == ("stale", "depends on `enriched_taxonomy`")
    assert "taxonomy" not in stale and "documents" not in stale
    path.write_bytes(before)
    assert set(find_nodes(refresh(watched, OURS).out)) == {"build_taxonomy", "check_gold_labels", "read_labels"}
    assert find_stale(watched, OURS) == {}


def test_what_kedro_run_refuses_is_refused(project: Project) -> None:
    for command in ("status", "refresh"):
        for arguments, words in (
            (["--pipeline=nothing"], "there is no pipeline `nothing`; use ingest, enrich"),
            (["--params=nothing=1"], "there is no parameter `nothing`; use"),
            (["--params=infer.nothing=1"], "nothing"),
            (["--env=nothing"], "nothing"),
        ):
            done = project.kedro(command, *arguments)
            assert done.code == 1
            assert words in done.err
            assert "Traceback" not in done.text


def test_before_the_first_run_all_is_missing(project: Project) -> None:
    project.add_dataset("never_run", vectors=False)
    status = read_status(project, "--params=dataset=never_run")
    assert status["fresh"] == 0
    assert {e["state"] for e in status["entries"] if e["entry"]} == {"missing"}
    out = project.kedro("status", "--env=test", "--params=dataset=never_run", "--pipelines=ingest,train").out
    assert "missing; `kedro refresh` runs what is not fresh" in out


# ---------------------------------------------------------------------- documents that come later


def read_labels(path: Path, rows: pd.Series) -> tuple[list[Any], list[Any]]:
    """Return what labels say of the documents of some rows, and the scores."""
    frame = pd.read_parquet(path)[rows]
    sets = [list(map(list, frame[name])) for name in ("class_ids", "names")]
    paths = [[list(path) for path in paths] for paths in frame["paths"]]
    facts = [frame["doc_id"].tolist(), *sets, paths, frame["fits"].tolist(), frame["decision"].tolist()]
    return facts, [score for scores in frame["scores"] for score in scores]


def strip_ages(status: dict[str, Any]) -> dict[str, Any]:
    return {**status, "entries": [{**entry, "age": None} for entry in status["entries"]]}


@pytest.mark.slow
def test_label_gives_the_label_sets_of_the_predictions_once_and_makes_nothing_stale(watched: Project) -> None:
    bulk, output = watched.raw / "watched" / "bulk", watched.folder / "data/07_model_output/watched/test"
    documents = pd.read_parquet(watched.folder / "data/02_intermediate/watched/documents.parquet")
    bulk.mkdir()
    documents[documents["split"] == "test"][["doc_id", "text"]].to_parquet(bulk / "again.parquet")
    before, digests = read_status(watched, OURS), watched.read_digests("test", "watched")
    out = watched.run("--env=test", OURS, "--pipeline=label")
    assert find_nodes(out) == ["label_documents"]
    assert re.search(r"20 documents in .*: 1 shards labelled in \d+\.\d s, 0 were$", out, re.MULTILINE)

    source = pd.read_parquet(output / "predictions.parquet")["source"]
    model = source == "model"  # what was said of a document stands in the run, where it was said of
    assert sorted(source.value_counts()) == [4, 16]
    facts, scores = read_labels(output / "bulk_labels" / "again.parquet", model)
    expected, expected_scores = read_labels(output / "predictions.parquet", model)
    assert facts == expected
    np.testing.assert_allclose(scores, expected_scores, atol=1e-3)

    assert strip_ages(read_status(watched, OURS)) == strip_ages(before)
    after = watched.read_digests("test", "watched")
    assert {name: after[name] for name in digests} == digests, "beside what is there and not over it"
    new = {f"07_model_output/test/bulk_labels/{name}" for name in ("again.parquet", "manifest.json")}
    assert set(after) - set(digests) == new

    # What is done is skipped, and `kedro refresh` sees what is new.
    written = (output / "bulk_labels" / "again.parquet").stat().st_mtime_ns
    assert re.search(r"0 shards labelled in .* s, 1 were", watched.run("--env=test", OURS, "--pipeline=label"))
    assert find_stale(watched, OURS, "--pipeline=label") == {}
    (bulk / "new.csv").write_text("doc_id,text\na,Whistling kettle 2 l\nb,\n", "utf-8")
    assert find_stale(watched, OURS, "--pipeline=label") == {
        "(label_documents)": ("stale", "bulk_documents.documents changed")
    }
    done = watched.kedro("refresh", "--env=test", OURS, "--pipeline=label")
    assert done.code == 1 and "Traceback" not in done.text
    assert (
        "watched/bulk/new.csv:3: the text is empty; write one or remove the line (or set ingest.on_invalid" in done.err
    )
    assert "1 file is set aside, the others are labelled; mend and run again" in done.err
    manifest = json.loads((output / "bulk_labels" / "manifest.json").read_text("utf-8"))
    assert list(manifest["failures"]) == [str(bulk / "new.csv")]
    refresh(watched, f"{OURS},ingest.on_invalid=skip", "--pipeline=label")
    assert pd.read_parquet(output / "bulk_labels" / "new.parquet")["doc_id"].tolist() == ["a"]
    assert (output / "bulk_labels" / "again.parquet").stat().st_mtime_ns == written
