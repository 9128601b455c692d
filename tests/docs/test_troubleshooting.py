"""Every message of the table that docs/troubleshooting.md is made from is what a user gets today: each is produced."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fake_llm import KEY, Body, Response, completion, failure, good, make_requests, serve
from hmltc_kedro.annotation.review import choose_format, write_items
from hmltc_kedro.augmentation.training_examples import build_examples
from hmltc_kedro.cli import find_cause
from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.corpus import gold_labels, raw_files, tensors
from hmltc_kedro.corpus.amazon531 import prepare
from hmltc_kedro.corpus.class_sources import read_classes
from hmltc_kedro.corpus.document_pile import read_pile
from hmltc_kedro.corpus.new_dataset import make_dataset
from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.datasets.files import JSONDataset, ParquetDataset
from hmltc_kedro.datasets.llm import LLMDataset
from hmltc_kedro.datasets.raw import RawTableDataset
from hmltc_kedro.errors import InputError, import_extra
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.freshness.records import Content, Making, Record, find_record, write_record
from hmltc_kedro.freshness.refusals import blame_unrecorded, check_together
from hmltc_kedro.freshness.tracker import Tracker
from hmltc_kedro.labelling.table import label_table
from hmltc_kedro.llm import OpenAIClient, OpenAISettings, RecordedClient, ReplayClient
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines.infer.nodes import decode_predictions
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text import backends
from hmltc_kedro.text.models import resolve_model
from hmltc_kedro.text.vector_cache import VectorCache
from hmltc_kedro.text.windows import check_vectors
from ingest import edit, ingest
from kedro_project import Project
from messages import MESSAGES

PRINTED = {message.title: message.printed for chapter in MESSAGES.values() for message in chapter}

CLASSES, EDGES, KEYWORDS = "classes.txt", "class_hierarchy.txt", "class_related_keywords.txt"
TRAIN, GOLD, LABELS = "train/train_corpus.txt", "test/doc2labels.txt", "labels.csv"
CSV_CORPUS, ANSWERS = "data/01_raw/mine/train/train_corpus.csv", "data/03_primary/mine/llm_answers.sqlite"

COMMANDS = {
    "An entry is missing": "run --pipeline=train --params=dataset=yours",
    "A raw file is missing": "run --pipeline=ingest --params=dataset=yours",
    "There is no such parameter": "run --params=datset=mine",
    "There is no such setting": "run --params=pseudo_label.top_q=3",
    "A setting is out of range": "run --params=pseudo_label.gap.value=1.5",
    "A parameter that is something else": "run --params=encoder=mpnet",
    "There is no such pipeline": "run --pipeline=ingets",
    "There is no such environment": "run --env=papre",
    "There is no such node": "run --from-nodes=decode_prediction",
    "A dataset's name is none": "run --params=dataset=../mine",
    "An ablation row does not read a setting": "run --params=ablation.variants.gcn.pseudo_label.neighbours=0",
}
"""Arguments of `kedro`, by heading."""

RAW_FILES = {
    "The hierarchy has a cycle": (EDGES, b"+5\t0\n"),
    "An edge names an unknown class": (EDGES, b"+5\t777\n"),
    "A class is its own parent": (EDGES, b"+5\t5\n"),
    "A class id occurs twice": (CLASSES, b"+0\tagain\n"),
    "A class id has a comma": (CLASSES, b"+a,b\tagain\n"),
    "A carriage return within a line": (TRAIN, b"+900\tnice kettle\r901\tmug\n"),
    "A line has no TAB": (TRAIN, b"+900 nice kettle\n"),
    "A line is not UTF-8": (TRAIN, b"+900\tcaf\xe9\n"),
    "A text is empty": (TRAIN, b"+900\t \n"),
    "A document id occurs twice": (TRAIN, b"+0\tanother kettle\n"),
    "A corpus is empty": (TRAIN, b""),
    "Keywords of no class": (KEYWORDS, b"+teapotts:tea\n"),
    "Keywords of two classes": (KEYWORDS, b"+sets:box\n"),
    "Gold labels of an unknown class": (GOLD, b"0\t0,777\n"),
    "Gold labels of an unknown document": (GOLD, b"x\t0\n"),
    "A label of an unknown document": (LABELS, b"split,doc_id,classes\ntest,x,mugs\n"),
    "A label of an unknown class": (LABELS, b"split,doc_id,classes\ntest,0,teapotts\n"),
    "A label whose name two classes have": (LABELS, b"split,doc_id,classes\ntest,0,sets\n"),
    "A label that is no path": (LABELS, b"split,doc_id,classes\ntest,0,garden > kettles\n"),
    "A document is labelled twice": (LABELS, b"split,doc_id,classes\ntest,0,mugs\ntest,0,tents\n"),
    "Labels are not CSV": (LABELS, b"split;doc_id;classes\ntest;0;mugs\n"),
}
"""By heading, what is done to a file of a sound dataset: new content or, after a +, what is added."""


def ask(
    settings: dict[str, object],
    reply: Callable[[Body], Response] | None = None,
    key: str | None = KEY,
    questions: int = 3,
) -> None:
    """Ask questions of a server, a fake one if there is a reply."""
    quick = {"backoff": 0.01, "max_wait": 5.0, **settings}
    if reply is None:
        OpenAIClient(OpenAISettings(**quick), ANSWERS, api_key=key).ask(make_requests(questions))
        return
    with serve(lambda body, _: reply(body)) as (_, url):
        OpenAIClient(OpenAISettings(base_url=url, **quick), ANSWERS, api_key=key).ask(make_requests(questions))


def in_environment(name: str, value: str) -> Callable[[], None]:
    def produce() -> None:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(name, value)
            ask({"base_url": "http://127.0.0.1:9/v1"})

    return produce


def refuse(settings: dict[str, object], status: int, message: str, code: str | None = None) -> Callable[[], None]:
    return lambda: ask(settings, lambda body: failure(status, message, code))


def replay(question: str = "question") -> None:
    ReplayClient(OpenAISettings(), ANSWERS).ask(make_requests(1, question))


def replay_another_question() -> None:
    ask({}, good)
    replay("another question")


def write_and(path: str, content: str, then: Callable[[Path], object]) -> Callable[[], object]:
    def produce() -> object:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, "utf-8")
        return then(Path(path))

    return produce


def read_decimal_ids() -> None:
    path = Path(CSV_CORPUS).with_suffix(".parquet")
    path.parent.mkdir(parents=True)
    pd.DataFrame({"doc_id": [1.0], "text": ["kettle"]}).to_parquet(path)
    build_documents({"train": raw_files.read_corpus_frame(path)}, skip_invalid=False)


def read_two_corpora() -> None:
    for name in ("train_corpus.txt", "train_corpus.csv"):
        write_and(f"data/01_raw/mine/train/{name}", "", str)()
    RawTableDataset(filepath="data/01_raw/mine/train/train_corpus.txt", corpus=True).find_file()


def choose_missing_backend() -> None:
    """Ask for 8 bits where the extra is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "find_version", lambda package: None)
        directory = resolve_model("embedded")
        backends.choose_backend("openvino-int8", directory, "cpu")


def open_pickled_encoder() -> None:
    write_and("models/mine/pytorch_model.bin", "", str)()
    write_and("models/mine/modules.json", "[]", lambda path: resolve_model(str(path.parent)))()


METRICS, PREDICTIONS = "data/08_reporting/mine/metrics.json", "data/07_model_output/mine/predictions.json"


def explain(action: Callable[[], object]) -> None:
    """Raise what the command line says of the error."""
    try:
        action()
    except Exception as error:
        raise find_cause(error) or error from None


def write_on_a_full_disk() -> None:
    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(os, "replace", fail)
        explain(lambda: JSONDataset(filepath=METRICS).save({}))


def read_entries(*names: str) -> Callable[[], None]:
    """Return what reads metrics and predictions, or one of them, of which the latter changed after both were made."""

    def read() -> None:
        contents = {}
        for name, path in (("predictions", PREDICTIONS), ("metrics", METRICS)):
            write_and(path, "{}", str)()
            made, now = Making(dict(contents), {}, {}), Content(content_digest(Path(path)))
            write_record(Record(made, now), find_record(Path(path)))
            contents[name] = now
        Path(PREDICTIONS).write_text("{ }", "utf-8")
        if len(names) > 1:  # a node has made them anew
            find_record(Path(PREDICTIONS)).unlink()
        catalog = {"predictions": JSONDataset(filepath=PREDICTIONS), "metrics": JSONDataset(filepath=METRICS)}
        check_together(names, Tracker([], catalog))

    return read


def blame_swapped_labels() -> None:
    silver = Path("data/05_model_input/mine/silver_labels.parquet")
    write_and(str(silver), "", str)()
    tracker = Tracker([], {"silver_labels": ParquetDataset(filepath=str(silver))})
    blame_unrecorded(KeyError("kept"), "find_starved_classes", ["silver_labels"], tracker)


def train_on_nothing() -> None:
    documents = pd.DataFrame({"split": ["train"], "doc_id": ["0"], "text": ["kettle"]})
    silver = pd.DataFrame({"split": ["train"], "doc_id": ["0"], "class_ids": [["0"]], "kept": False})
    nothing = documents.iloc[:0].assign(class_ids=[])
    build_examples(documents, silver, nothing, synthetic_weight=1.0, synthetic_ancestors=True)


def decode_for_other_classes() -> None:
    old = tensors.TensorTable(["0"], {"probabilities": np.ones((1, 1), dtype=np.float16)}, columns=["0"])
    now = Taxonomy.from_edges([("0", "pets"), ("1", "garden")], [])
    decode_predictions(old, None, None, {}, now, None)  # type: ignore[arg-type]


def score_other_documents() -> None:
    gold = raw_files.RawTable("data/01_raw/mine/test/doc2labels.txt", raw_files.make_rows([1], ["7"], ["0"], [None]))
    gold_labels.align_gold_labels(gold, Taxonomy.from_edges([("0", "pets")], []), ["0", "1"])


def import_without_kedro() -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setitem(sys.modules, "kedro", None)
        import_extra("kedro", "kedro", "a command")


def read_without_pronto(path: Path) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setitem(sys.modules, "pronto", None)
        read_classes(path)


FUNCTIONS: dict[str, Callable[[], object]] = {
    "A CSV corpus has other columns": write_and(CSV_CORPUS, "id,review\n0,kettle\n", raw_files.read_corpus_frame),
    "A Parquet column is no text": read_decimal_ids,
    "Two files of one corpus": read_two_corpora,
    "An entry was changed": read_entries("predictions"),
    "Entries that do not belong together": read_entries("predictions", "metrics"),
    "An entry that no run made": blame_swapped_labels,
    "An entry cannot be read": write_and(
        METRICS, "{half", lambda path: explain(lambda: JSONDataset(filepath=str(path)).load())
    ),
    "An entry cannot be written": write_on_a_full_disk,
    "The encoder has no safetensors": open_pickled_encoder,
    "The encoder's backend is not installed": choose_missing_backend,
    "A vector is not finite": lambda: check_vectors(np.full((1, 4), np.nan, dtype=np.float32), ["a kitten"], "mine"),
    "The vector cache cannot be read": write_and(
        "data/04_feature/mine/vector_cache.sqlite", "no database at all " * 100, VectorCache
    ),
    "No silver label is kept": train_on_nothing,
    "The classes changed": decode_for_other_classes,
    "There is no trained classifier": lambda: HierarchicalClassifier.load("data/06_models/mine/classifier"),
    "The classifier cannot be read": write_and(
        "data/06_models/mine/classifier/settings.json",
        '{"format": 1}',
        lambda path: HierarchicalClassifier.load(path.parent),
    ),
    "Gold labels of other documents": score_other_documents,
    "The encoder cannot be found": lambda: resolve_model("sentence-transformers/all-mpnet-base-v3"),
    "The encoder's directory is none": write_and("models/mine/x", "", lambda path: resolve_model(str(path.parent))),
    "No API key": lambda: ask({}, key=None),
    "Credentials of another shape": lambda: LLMDataset(
        client="openai", recordings="x", cache="x", credentials={"apikey": KEY}
    ),
    "A secret in the server's address": lambda: LLMDataset(
        client="openai", recordings="x", cache="x", settings={"base_url": f"https://user:{KEY}@host/v1"}
    ).identify(),
    "A proxy that cannot be used": in_environment("ALL_PROXY", "socks5://127.0.0.1:1"),
    "Certificates that are not there": in_environment("SSL_CERT_FILE", "/nonexistent/ca.pem"),
    "The server answers nothing that counts": lambda: ask({}, lambda body: completion(None), questions=9),
    "The server refuses the key": refuse({}, 401, "Incorrect API key provided", "invalid_api_key"),
    "The server has no such model": refuse({"model": "gpt-9"}, 404, "no such model"),
    "No credit is left": refuse({}, 429, "You exceeded your quota", "insufficient_quota"),
    "The server cannot be reached": lambda: ask({"base_url": "http://127.0.0.1:9/v1"}),
    "A limit without a price": lambda: ask({"model": "my-model", "max_cost": 5.0}),
    "The limit is reached": lambda: ask({"max_cost": 0.0001}, good),
    "Nothing to replay": replay,
    "Replay lacks an answer": replay_another_question,
    "A recorded answer is none": write_and(
        "data/01_raw/mine/llm_responses.jsonl", '{"task": "describe_class"}\n', RecordedClient
    ),
    "A reviewed file is there already": write_and(
        "review.csv", "", lambda path: write_items([], path, "argilla", Taxonomy.from_edges([("0", "pets")], []))
    ),
    "A file of no known format": lambda: choose_format(Path("review.txt"), None),
    "A dataset is there already": write_and(
        "data/01_raw/mine/x", "", lambda path: make_dataset(path.parent, Path("a"), Path("b"))
    ),
    "Classes with a cycle": write_and("classes.csv", "parent,child\na,b\nb,c\nc,a\n", read_classes),
    "Texts with and without an id": write_and("texts.txt", "1\ta\nb\n", read_pile),
    "A table without the texts": write_and("texts.csv", "id,review\n1,a\n", read_pile),
    "A package that is not installed": import_without_kedro,
    "Documents in another form": lambda: label_table(Path("texts.docx"), Path("labels.csv"), Path("model")),
    "Labels over their documents": write_and(
        "texts.csv", "text\na\n", lambda path: label_table(path, path, Path("model"))
    ),
    "A package for ontologies": write_and("classes.obo", "", read_without_pronto),
    "There is no configuration": lambda: ProjectConfigLoader("conf", **CONFIG_LOADER_ARGS)["parameters"],
    "Not TELEClass's folder": lambda: prepare(Path("TELEClass/data"), Path("data/01_raw/amazon531")),
}
"""By heading, what raises the message; they run in an empty folder."""


@pytest.fixture
def mine(project: Project) -> Iterator[Project]:
    """Return the project with a sound dataset `mine`, and remove all traces of it afterwards."""
    project.add_dataset("mine", vectors=False)
    yield project
    for layer in (project.folder / "data").iterdir():
        shutil.rmtree(layer / "mine", ignore_errors=True)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, with no key, no proxy and no model hub."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def check_quote(name: str, printed: str) -> None:
    """Compare; `...` in the table stands for any text."""
    pattern = re.escape(PRINTED[name]).replace(re.escape("..."), ".*")
    assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"### {name}\nnow prints\n{printed}"


def test_every_message_is_produced_by_a_test() -> None:
    assert PRINTED.keys() == COMMANDS.keys() | RAW_FILES.keys() | FUNCTIONS.keys() | {"There is no such client"}
    assert len(PRINTED) == sum(map(len, MESSAGES.values())), "titles are unique"


def test_every_message_says_what_to_do() -> None:
    assert all(message.mend.strip() for chapter in MESSAGES.values() for message in chapter)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_prints_what_is_quoted(project: Project, name: str) -> None:
    done = project.kedro(*COMMANDS[name].split())
    assert done.code == 1
    check_quote(name, done.err)


@pytest.mark.parametrize("name", RAW_FILES)
def test_raw_file_raises_what_is_quoted(mine: Project, name: str) -> None:
    file, content = RAW_FILES[name]
    edit(mine.raw / "mine" / file, content)
    with pytest.raises(InputError) as caught:
        ingest(mine.folder)
    check_quote(name, f"Error: {caught.value}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_raises_what_is_quoted(empty_folder: None, name: str) -> None:
    with pytest.raises(InputError) as caught:
        FUNCTIONS[name]()
    check_quote(name, f"Error: {caught.value}")


def test_unknown_client_prints_what_is_quoted(mine: Project) -> None:
    environment = mine.folder / "conf" / "troubled"
    environment.mkdir()
    (environment / "globals.yml").write_text("llm: gpt\n", "utf-8")
    try:
        done = mine.kedro("run", "--env=troubled", "--pipelines=ingest,enrich", "--params=dataset=mine")
    finally:
        shutil.rmtree(environment)
    check_quote("There is no such client", done.err)
