"""The command line, on a small project of its own: what users type, and what they get to read."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

from hmltc_kedro import cli
from hmltc_kedro.evaluation.intervals import bootstrap_interval
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.freshness.records import Content, Making, Record, find_record, write_record
from hmltc_kedro.pipeline_registry import register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from kedro_project import REPOSITORY, TIMED, Finished, Project

WHOLE = register_pipelines()["__default__"]
SCORER = REPOSITORY.parent / "shared" / "tools" / "score.py"
QUICK = (
    "augment.reviews_per_class=1,train.head.epochs=1,train.fine_tuning.trainable_layers=0.1,train.fine_tuning.epochs={}"
)
"""Parameters that make a run of base or paper short; unlike the environment `test`, base fine-tunes."""


def read_predictions(project: Project, folder: str) -> bytes:
    return (project.folder / "data/07_model_output" / folder / "predictions.parquet").read_bytes()


def read_metrics(project: Project, folder: str) -> dict[str, Any]:
    return json.loads((project.folder / "data/08_reporting" / folder / "metrics.json").read_text("utf-8"))


def find_nodes(out: str) -> list[tuple[str, str]]:
    """Return (stage, node) for each line that says a node runs."""
    return re.findall(rf"INFO +({'|'.join(STAGES)}): (\w+)$", out, re.MULTILINE)


# ---------------------------------------------------------------------- the first run


@pytest.mark.slow
def test_run_says_one_line_a_node_and_ends_with_scores_and_files(project: Project, first_run: Finished) -> None:
    nodes = [node for _, node in find_nodes(first_run.out)]
    assert len(nodes) == len(set(nodes))
    assert set(nodes) == {node.name for node in WHOLE.nodes}
    assert nodes.index("check_gold_labels") < nodes.index("embed_documents")
    assert "Loading data" not in first_run.text and "Traceback" not in first_run.text
    lines = first_run.out.splitlines()
    assert len(lines[: lines.index("")]) < 2 * len(nodes)
    assert "Scores on 20 test documents (95 % interval)" in lines
    written = lines[lines.index("Written") + 1 :]
    assert {line.split()[0] for line in written} == WHOLE.all_outputs() | {"llm_usage"}
    for line in written:
        entry, path = line.split()
        assert (project.folder / path).exists(), entry


def score_by_hand(project: Project, entry: str) -> np.ndarray:
    """Return the F1 of each test document, from the files of predictions and of gold labels."""
    predictions = pd.read_parquet(project.folder / f"data/07_model_output/sample/test/{entry}.parquet")
    lines = (project.raw / "sample/test/doc2labels.txt").read_text("utf-8").splitlines()
    gold = {doc_id: set(ids.split(",")) for doc_id, ids in (line.split("\t") for line in lines)}
    pairs = [(set(row.class_ids), gold[row.doc_id]) for row in predictions.itertuples()]
    return np.array([2 * len(found & true) / (len(found) + len(true)) for found, true in pairs])


def test_metrics_have_the_promised_keys(project: Project, first_run: Finished) -> None:
    metrics = read_metrics(project, "sample/test")
    promised = "sample_f1 exact_match macro_f1 micro_f1 precision_at_1 precision_at_3 mrr per_level path_consistency"
    assert set(promised.split()) <= set(metrics)
    for entry, found in (("predictions", metrics), ("zero_shot_predictions", metrics["zero_shot"])):
        scores = score_by_hand(project, entry)
        assert found["sample_f1"] == pytest.approx(scores.mean())
        assert found["sample_f1_interval"] == pytest.approx(bootstrap_interval(scores, seed=42))
    assert metrics["n_docs"] == 20
    assert metrics["path_consistency"] == 1


@pytest.mark.skipif(not SCORER.is_file(), reason="../shared/tools/score.py, the reference scorer, is not here")
def test_submission_scores_as_the_reference_scorer_says(project: Project, first_run: Finished) -> None:
    raw, submission = project.raw / "sample", project.folder / "data/07_model_output/sample/test/submission.csv"
    command = [sys.executable, SCORER, raw / "test/doc2labels.txt", submission]
    command += ["--hierarchy", raw / "class_hierarchy.txt"]
    reference = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    metrics = read_metrics(project, "sample/test")
    for name in ("sample_f1", "exact_match", "macro_f1", "micro_f1"):
        assert round(metrics[name], 6) == reference[name], name
    assert reference["missing"] == reference["orphan_rate"] == 0
    assert reference["n_docs"] == metrics["n_docs"]


def test_submission_and_predictions_agree(project: Project, first_run: Finished) -> None:
    folder = project.folder / "data/07_model_output/sample/test"
    submission = pd.read_csv(folder / "submission.csv", dtype=str)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert list(submission.columns) == ["id", "labels"]
    assert [",".join(ids) for ids in predictions["class_ids"]] == list(submission["labels"])
    documents = (project.raw / "sample/test/test_corpus.txt").read_text("utf-8").splitlines()
    assert [line.split("\t")[0] for line in documents] == list(submission["id"])


# ---------------------------------------------------------------------- again, in parts, elsewhere


@pytest.mark.slow
def test_second_run_encodes_nothing_and_gives_the_same_bytes(project: Project, first_run: Finished) -> None:
    before = project.read_digests("test")
    out = project.run("--env=test")
    assert set(re.findall(r"Encoding (\d+) texts", out)) == {"0"}
    assert project.read_digests("test") == before


@pytest.mark.slow
def test_stages_run_alone_from_disk_and_together_give_the_same_bytes(project: Project, first_run: Finished) -> None:
    project.add_dataset("staged")
    for stage in STAGES:
        out = project.run("--env=test", "--params=dataset=staged", f"--pipeline={stage}")
        assert {name for name, _ in find_nodes(out)} == {stage}
    assert read_predictions(project, "staged/test") == read_predictions(project, "sample/test")
    assert read_metrics(project, "staged/test") == read_metrics(project, "sample/test")


@pytest.mark.slow
def test_ablation_fills_the_table_and_a_variant_runs_alone(project: Project, ablation_run: Finished) -> None:
    assert ablation_run.out.count("embed_documents") == 1, "shared stages run once"
    assert "Ablation on 20 test documents: mean over the seeds 42, 43" in ablation_run.out
    reporting = project.folder / "data/08_reporting/sample/test"
    table = pd.read_parquet(reporting / "ablation_table.parquet").set_index("variant")
    assert list(table.index) == list(VARIANTS)
    for variant, f1 in table["sample_f1"].items():
        assert f1 == pytest.approx(pd.read_parquet(reporting / variant / "scores.parquet")["sample_f1"].mean()), variant
    for title in table["title"]:
        assert f"\n  {title} " in ablation_run.out
    alone = project.run("--env=test", "--pipeline=ablation", "--namespaces=leaf_priority")
    assert re.findall(r"ablation: (\S+)$", alone, re.MULTILINE) == [
        *("leaf_priority.decode_over_seeds", "leaf_priority.score_variant")
    ]
    assert f"  {'leaf_priority':45} {table.loc['leaf_priority', 'sample_f1']:.4f}" in alone


def test_pipelines_takes_several_names(project: Project, first_run: Finished) -> None:
    out = project.run("--env=test", "--pipelines=evaluate,infer")
    assert {stage for stage, _ in find_nodes(out)} == {"infer", "evaluate"}


def test_tags_select_a_stage(project: Project, first_run: Finished) -> None:
    out = project.run("--env=test", "--tags=augment")
    assert find_nodes(out) == [("augment", "write_synthetic_documents"), ("augment", "build_training_examples")]


def test_namespaces_select_a_stage(project: Project, first_run: Finished) -> None:
    out = project.run("--env=test", "--namespaces=augment")
    assert find_nodes(out) == [("augment", "write_synthetic_documents"), ("augment", "build_training_examples")]


def test_nodes_go_by_their_names_alone(project: Project, first_run: Finished) -> None:
    out = project.run("--env=test", "--nodes=write_submission,summarise_classes")
    assert set(find_nodes(out)) == {("infer", "write_submission"), ("pseudo_label", "summarise_classes")}


def test_from_nodes_runs_the_rest(project: Project, first_run: Finished) -> None:
    out = project.run("--env=test", "--from-nodes=decode_predictions")
    nodes = [node for _, node in find_nodes(out)]
    assert set(nodes) == {
        *("decode_predictions", "evaluate_predictions", "trace_cases", "write_submission"),
        *("diagnose_documents", "diagnose_classes", "diagnose_run", "write_report"),
    }
    assert (nodes[0], nodes[-1]) == ("decode_predictions", "write_report")


def test_only_missing_outputs_makes_what_is_missing(project: Project, first_run: Finished) -> None:
    before = project.read_digests("test")
    (project.folder / "data/07_model_output/sample/test/submission.csv").unlink()
    out = project.run("--env=test", "--only-missing-outputs")
    # check_gold_labels writes nothing, so nothing says that it has run
    assert [node for _, node in find_nodes(out)] == ["check_gold_labels", "write_submission"]
    assert "Left alone, their outputs exist: build_documents" in out
    assert project.read_digests("test") == before


@pytest.mark.slow
def test_paper_leaves_the_outputs_of_base_alone_and_base_is_repeatable(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.use_short_encoder("base")
    base_run = "--params=" + QUICK.format(1)
    project.run(base_run)
    base = project.read_digests()
    stems = {name.split("/")[1].split(".")[0] for name in base}
    assert stems >= WHOLE.all_outputs() - {*TIMED, "llm_usage"}
    project.run("--env=paper", "--params=" + QUICK.format(0))
    assert project.read_digests() == base
    paper = project.read_digests("paper")
    words = {  # not in the paper
        f"06_models/{classifier}/{name}"
        for classifier in ("classifier", "trained_classifier")
        for name in ("words.json", "lexical.safetensors")
    }
    assert words <= base.keys()
    assert len(paper) == len([name for name in base.keys() - words if not name.startswith("02_intermediate")])
    project.run(base_run)
    assert project.read_digests() == base
    assert project.read_digests("paper") == paper


@pytest.mark.slow
def test_gold_labels_change_no_prediction(project: Project, first_run: Finished) -> None:
    wrong = project.add_dataset("wrong_gold") / "test/doc2labels.txt"
    rows = [line.split("\t") for line in wrong.read_text("utf-8").splitlines()]
    labels = [row[1] for row in rows]
    turned = labels[7:] + labels[:7]
    assert sum(a != b for a, b in zip(labels, turned, strict=True)) == 20
    wrong.write_text("".join(f"{row[0]}\t{ids}\n" for row, ids in zip(rows, turned, strict=True)), "utf-8")
    project.add_dataset("no_gold", without=("test/doc2labels.txt",))
    for dataset in ("wrong_gold", "no_gold"):
        project.run("--env=test", f"--params=dataset={dataset}")
        assert read_predictions(project, f"{dataset}/test") == read_predictions(project, "sample/test")
    assert read_metrics(project, "no_gold/test")["n_docs"] == 0
    assert read_metrics(project, "wrong_gold/test")["sample_f1"] < read_metrics(project, "sample/test")["sample_f1"]


@pytest.mark.slow
def test_bare_dataset_runs_to_the_end_and_says_what_it_lacks(project: Project, first_run: Finished) -> None:
    lacks = ("class_related_keywords.txt", "test/doc2labels.txt", "llm_responses.jsonl")
    project.add_dataset("bare", without=lacks)
    out = project.run("--env=test", "--params=dataset=bare")
    assert "49 classes without keywords" in out
    assert "Class descriptions: 0 from the language model (recorded), 49 from the template" in out
    assert re.search(r"INFO +0 synthetic documents for \d+ starved classes", out)
    assert "No gold labels: nothing to score." in out
    assert read_metrics(project, "bare/test")["n_docs"] == 0
    predictions = pd.read_parquet(project.folder / "data/07_model_output/bare/test/predictions.parquet")
    assert len(predictions) == 20
    assert [set(ids) for ids in predictions["class_ids"]] == [
        {class_id for path in paths for class_id in path} for paths in predictions["paths"]
    ]
    assert predictions["paths"].map(len).isin([1, 2, 3]).all()


# ---------------------------------------------------------------------- what is refused, and how


def check_refused(done: Finished, *messages: str) -> None:
    """Check for one short message and no traceback."""
    assert done.code == 1
    assert "Traceback" not in done.text
    assert done.err.startswith("Error: ")
    assert len(done.err.splitlines()) < 15, done.err
    assert "ERROR" not in done.text and "WARNING" not in done.text
    for message in messages:
        assert len(re.findall(message, done.text, re.MULTILINE)) == 1, f"{message}\n{done.text}"


def test_missing_inputs_are_named_with_their_command_before_the_first_node(project: Project) -> None:
    project.add_dataset("untouched", vectors=False)
    done = project.kedro("run", "--env=test", "--params=dataset=untouched", "--pipeline=train")
    lines = done.err.removeprefix("Error: ").splitlines()
    command = "kedro run --pipeline={} --env=test --params=dataset=untouched"
    assert [(line.split("`")[1], line.split("make it with: ")[1]) for line in lines] == [
        ("annotations", command.format("annotate")),
        ("class_embeddings", command.format("enrich")),
        ("document_embeddings", command.format("pseudo_label")),
        ("documents", command.format("ingest")),
        ("lexical_view", command.format("pseudo_label")),
        ("taxonomy", command.format("ingest")),
        ("training_examples", command.format("augment")),
        ("view_weights", command.format("pseudo_label")),
    ]
    check_refused(done)
    assert done.out == ""


def test_missing_raw_files_are_named(project: Project) -> None:
    files = ("classes.txt", "class_hierarchy.txt", "test/test_corpus.txt", "train/train_corpus.txt")
    done = project.kedro("run", "--params=dataset=nowhere", "--pipeline=ingest")
    check_refused(done, *(f"data/01_raw/nowhere/{file}: .*missing" for file in files))
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (  # all others: test_config
            ["--params=pseudo_label.top_q=3"],
            "^Error: there is no parameter `pseudo_label.top_q`; use views, .*, top_k, selection, gap, starved$",
        ),
        (
            ["--pipeline=ablation", "--params=ablation.variants.gcn.pseudo_label.neighbours=0"],
            "^Error: ablation.variants.gcn.pseudo_label.neighbours: the row `gcn` does not read this, it would change "
            "nothing; it reads infer.batch_size, infer.decoding, pseudo_label.views, train$",
        ),
        (["--params=dataset=../x"], "^Error: dataset: '../x' is no name; it is the name of a folder in data/01_raw: "),
        (["--params=datset=x"], "there is no parameter `datset`; use .*dataset"),
        (["--pipeline=ingets"], "Failed to find the pipeline named 'ingets'"),
        (["--from-nodes=no_such_node"], "does not contain nodes named"),
        (["--tags=no_such_tag"], "contains no nodes after applying all provided filters"),
        (["--env=no_such_environment"], "conf/no_such_environment"),
    ],
)
def test_wrong_command_is_one_message_before_anything_runs(
    project: Project, arguments: list[str], message: str
) -> None:
    done = project.kedro("run", *arguments)
    check_refused(done, message)
    assert done.out == ""


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("dataset=007", "007"),
        ("ingest.on_invalid=skip, dataset =1e3 ", "1e3"),
        ("dataset=null", "null"),
        ("dataset=true", "true"),
        ("dataset='007'", "007"),
        ("dataset=mine", "mine"),
        ("dataset=", ""),
    ],
)
def test_name_of_the_dataset_is_what_was_typed(typed: str, name: str) -> None:
    for command in (cli.run, cli.status, cli.refresh, cli.review):
        option = next(option for option in command.params if option.name == "params")
        context = click.Context(command)
        assert option.process_value(context, typed)["dataset"] == name
    assert option.process_value(context, "seed=007") == {"seed": 7}


def test_bad_gold_labels_stop_a_full_run_before_any_encoding(project: Project) -> None:
    (project.add_dataset("bad_gold", vectors=False) / "test/doc2labels.txt").write_text("0\t777\n", "utf-8")
    done = project.kedro("run", "--params=dataset=bad_gold")
    check_refused(done, "test/doc2labels.txt:1: unknown class '777'; use the ids of classes.txt")
    assert "Encoding" not in done.text


def test_bad_documents_can_be_set_aside(project: Project) -> None:
    path = project.add_dataset("some_bad", vectors=False) / "train/train_corpus.txt"
    path.write_bytes(path.read_bytes() + b"900\t \n0\ttwice\nno tab here\n")
    out = project.run("--params=dataset=some_bad,ingest.on_invalid=skip", "--pipeline=ingest")
    assert "3 documents were set aside" in out
    rejected = pd.read_parquet(project.folder / "data/02_intermediate/some_bad/rejected_documents.parquet")
    assert list(rejected["line"]) == [41, 42, 43]
    assert len(pd.read_parquet(project.folder / "data/02_intermediate/some_bad/documents.parquet")) == 60


def test_damaged_entry_is_one_line_and_other_errors_keep_their_traceback(project: Project) -> None:
    project.add_dataset("broken", vectors=False)
    project.run("--params=dataset=broken", "--pipeline=ingest")
    entry = project.folder / "data/02_intermediate/broken/taxonomy.parquet"
    entry.write_bytes(b"not parquet")
    done = project.kedro("run", "--params=dataset=broken", "--pipeline=enrich")
    assert (done.code, done.err) == (
        1,
        "Error: entry `taxonomy` was changed since a run made it; `kedro refresh` makes it again; to use it as it is, "
        "remove data/02_intermediate/broken/.taxonomy.parquet.made.json\n",
    )
    find_record(entry).unlink()
    done = project.kedro("run", "--params=dataset=broken", "--pipeline=enrich")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.err.startswith("Error: data/02_intermediate/broken/taxonomy.parquet: cannot be read")
    project.run("--params=dataset=broken", "--pipeline=ingest")
    documents = project.folder / "data/02_intermediate/broken/documents.parquet"
    pd.DataFrame({"doc_id": ["0"]}).to_parquet(documents)  # is read, and does not fit
    find_record(documents).unlink()
    done = project.kedro("run", "--params=dataset=broken", "--nodes=embed_documents")
    assert done.code == 1
    assert done.err == (
        "Error: node `embed_documents` cannot use what it reads (KeyError: 'split'), and no record says that a run "
        "made `documents` (data/02_intermediate/broken/documents.parquet); `kedro refresh` makes it again\n"
    )
    write_record(Record(Making({}, {}, {}), Content(content_digest(documents))), find_record(documents))
    done = project.kedro("run", "--params=dataset=broken", "--nodes=embed_documents")
    assert done.code == 1
    assert "Traceback" in done.err, "what a run has made fits, or the fault is ours"
    assert "KeyError: 'split'" in done.err


# ---------------------------------------------------------------------- quick commands stay quick


def test_help_registry_catalog_and_status_do_not_import_torch(project: Project) -> None:
    script = """
import sys
from kedro.framework.cli import main
for command in ("--help", "registry list", "catalog describe-datasets", "status", "status --env=test"):
    sys.argv = ["kedro", *command.split()]
    try:
        main()
    except SystemExit as done:
        assert not done.code, command
    heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
    assert not heavy, (command, heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in [*STAGES, "__default__", "predictions"]:
        assert name in done.stdout
