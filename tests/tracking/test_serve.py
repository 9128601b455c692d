"""The extra `mlflow` as a user meets it, docs/serve.md: two runs compared, the logged model behind a real server."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hmltc_kedro.modeling import HierarchicalClassifier
from kedro_project import ENVIRONMENT, REPOSITORY, Finished, Project

SECRET = "sk-of-nobody-0123456789"
PART = "package_classifier,decode_predictions,evaluate_predictions,diagnose_documents,diagnose_run,write_report"
CHANGE = "--params=infer.decoding.max_paths=1"


@dataclass
class Tracked:
    """A project with two runs: the last nodes of some stages, and a refresh with another setting."""

    project: Project
    printed: tuple[str, str]
    runs: Any

    @property
    def models(self) -> list[str]:
        """The models that were printed, by their ids."""
        return [re.findall(r"^  model +models:/(\S+)$", text, re.MULTILINE)[0] for text in self.printed]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, first_run: Finished, shared_folder: Path) -> Tracked:
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    made = Project(tmp_path_factory.mktemp("tracked"))
    made.take_run(shared_folder / "first_run", lambda: first_run)  # it is there: its files are copied
    shutil.copy(REPOSITORY / "conf/base/mlflow.yml", made.folder / "conf/base")
    (made.folder / "conf/local/credentials.yml").write_text(f"openai:\n  api_key: {SECRET}\n", "utf-8")
    first = made.run("--env=test", f"--nodes={PART}")
    second = made.kedro("refresh", "--env=test", CHANGE)
    assert second.code == 0, second.text
    mlflow.set_tracking_uri(f"sqlite:///{made.folder}/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["sample"], order_by=["attributes.start_time"])
    return Tracked(made, (first, second.out), runs)


def read_report(tracked: Tracked, name: str) -> Any:
    return json.loads((tracked.project.folder / f"data/08_reporting/sample/test/{name}.json").read_text("utf-8"))


def test_two_runs_differ_in_the_setting_that_was_changed_and_know_all_others(tracked: Tracked) -> None:
    assert tracked.runs["status"].tolist() == ["FINISHED", "FINISHED"]
    assert tracked.runs["tags.env"].tolist() == ["test", "test"]
    settings = tracked.runs.filter(like="params.")
    changed = settings.loc[:, settings.iloc[0] != settings.iloc[1]]
    assert changed.to_dict("list") == {"params.infer.decoding.max_paths": ["3", "1"]}
    # Of stages that neither has run, by the records of what they read.
    known = {"ingest.on_invalid": "error", "enrich.temperature": "0.7", "llm.client": "recorded", "seed": "42"}
    for name, value in {**known, "encoder.model": "embedded", "train.head.epochs": "1"}.items():
        assert settings[f"params.{name}"].tolist() == [value, value], name


def test_scores_with_intervals_and_diagnostics_are_those_of_the_files(tracked: Tracked) -> None:
    metrics, diagnostics = read_report(tracked, "metrics"), read_report(tracked, "run_diagnostics")
    last = tracked.runs.iloc[1]
    low, high = metrics["sample_f1_interval"]
    expected = {
        "sample_f1": metrics["sample_f1"],
        "sample_f1_low": low,
        "sample_f1_high": high,
        "zero_shot.sample_f1": metrics["zero_shot"]["sample_f1"],
        "per_level.1.f1": metrics["per_level"]["1"]["f1"],
        "diagnostics.expected_f1": diagnostics["expected_f1"],
    }
    assert {name: last[f"metrics.{name}"] for name in expected} == pytest.approx(expected)
    assert tracked.runs["metrics.mean_labels"].is_monotonic_decreasing
    assert tracked.runs["metrics.mean_labels"].nunique() == 2


def test_report_and_one_model_a_run_are_kept(tracked: Tracked) -> None:
    import mlflow

    assert len(set(tracked.models)) == 2
    experiment = tracked.runs["experiment_id"].iloc[0]
    models = mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")
    assert {model.model_id: model.source_run_id for model in models} == dict(
        zip(tracked.models, tracked.runs["run_id"], strict=True)
    )
    uri = tracked.runs["artifact_uri"].iloc[1]
    page = Path(uri.removeprefix("file://")) / "report.html"
    assert page.read_bytes() == (tracked.project.folder / "data/08_reporting/sample/test/report.html").read_bytes()


def test_nothing_became_stale_and_no_secret_is_kept(tracked: Tracked) -> None:
    done = tracked.project.kedro("status", "--env=test", CHANGE, "--json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["stale"] == 0
    kept = [tracked.project.folder / "mlflow.db", *(tracked.project.folder / "mlruns").rglob("*.*")]
    assert not [path for path in kept if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not [path for path in kept if path.suffix in (".pkl", ".pickle")]
    assert not [path for path in kept if path.suffix == ".pyc" and "code" in path.parts], "MLflow's own lies beside"


def test_rows_of_the_ablation_are_runs_below_one(tracked: Tracked) -> None:
    import mlflow

    from hmltc_kedro.tracking.runs import log_rows

    row = {"variant": "gcn", "title": "GCN", "sample_f1": 0.5, "sample_f1_low": 0.4, "sample_f1_high": 0.6}
    row |= {"difference": float("nan"), "n_docs": 20, "seeds": [42, 43], "source": "Table 1"}
    experiment = mlflow.create_experiment("rows", (tracked.project.folder / "mlruns").as_uri())
    with mlflow.start_run(experiment_id=experiment) as above:
        log_rows(pd.DataFrame([row]), {"gcn": {"ablation.variants.gcn.train.head.gcn_layers": 2}}, experiment)
    below = mlflow.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{above.info.run_id}'")
    assert below["tags.mlflow.runName"].tolist() == ["GCN"]
    assert below["tags.mlflow.note.content"].tolist() == ["Table 1"]
    assert below.filter(like="params.").to_dict("list") == {"params.train.head.gcn_layers": ["2"]}
    numbers = {"n_docs": 20, "sample_f1": 0.5, "sample_f1_low": 0.4, "sample_f1_high": 0.6}
    assert below.filter(like="metrics.").iloc[0].to_dict() == {f"metrics.{k}": v for k, v in numbers.items()}


# ---------------------------------------------------------------------- the server


@contextmanager
def serve(model: Path) -> Iterator[str]:
    """Run `mlflow models serve` on a free port of the loopback, without this project on the path."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    surroundings = {**ENVIRONMENT, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": search_path()}
    surroundings.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager=local", f"--port={port}"]
    log = (model.parent / "serve.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [*command, f"--model-uri={model}"], env=surroundings, stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process)
        yield f"http://127.0.0.1:{port}/invocations"
    except TimeoutError:
        log.seek(0)
        pytest.fail(log.read())
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def search_path() -> str:
    """Return PATH with the programs of this Python first: MLflow starts uvicorn by its name."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def ask(address: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_server_gives_the_label_sets_of_predict(tracked: Tracked) -> None:
    folder = tracked.project.folder
    texts = pd.read_parquet(folder / "data/02_intermediate/sample/documents.parquet").query("split == 'test'")["text"]
    classifier = HierarchicalClassifier.load(folder / "data/06_models/sample/test/classifier", device="cpu")
    expected = classifier.predict(texts)
    with serve(folder / "mlruns/models" / tracked.models[1] / "artifacts") as address:
        status, answer = ask(address, {"dataframe_records": [{"text": text} for text in texts]})
        assert status == 200, answer
        for served, own in zip(answer["predictions"], expected, strict=True):
            assert (served["class_ids"], served["names"], served["paths"]) == (own.class_ids, own.names, own.paths)
            assert (served["fits"], served["decision"]) == (own.fits, own.decision)
            assert served["probabilities"] == pytest.approx(own.probabilities, abs=1e-4)
        assert ask(address, {"inputs": {"text": [texts.iloc[0]]}}) == (200, {"predictions": answer["predictions"][:1]})
        status, answer = ask(address, {"dataframe_records": [{"text": None}]})
        assert status == 400 and answer["message"].endswith("text 0: None is no text; give it one or leave it out")
        status, answer = ask(address, {"dataframe_records": [{"title": "a kettle"}]})
        assert status == 400 and "missing inputs ['text']" in answer["message"]
