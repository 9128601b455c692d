"""Fixtures shared by all tests."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # two threads of torch on a core that is shared wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from browser import PROGRAM, Browser, Page
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from kedro_project import Finished, Project
from object_storage import Place, make_bucket, serve_s3
from small_corpus import CORPUS

# Shared machines stall: a slow example is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

LONGEST = (
    "test_cli.py",
    "test_refresh.py",
    "test_disturbed.py",
    "test_notebooks.py",
    "test_sample_accuracy.py",
    "test_viz.py",
    "llm/test_llm_runs.py",
    "report/test_browser.py",
    "llm/test_openai_client.py",
    "modeling/test_classifier.py",
    "llm/test_batches.py",
    "text/test_openvino_model.py",
    "tracking/test_serve.py",
    "labelling/test_engines.py",
    "modeling/test_fitting.py",
    "pipelines/test_ablation.py",
    "test_extras.py",
    "labelling/test_bulk.py",
    "benchmarks/test_accuracy.py",
    "modeling/test_training.py",
    "test_config.py",
    "pipelines/test_pseudo_label.py",
    "docs/test_commands.py",
    "test_review_command.py",
    "test_main.py",
)
"""Files that take more than some seconds, the longest first.

One worker begins with the first and the third, the other with the second and the fourth: the second makes a project of
its own before it waits for the first run.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand the longest files out first, so that no worker is left with one of them when all others are done."""
    places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector from going through what stays, modules and thousands of tests, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


DIAMOND_CLASSES = [
    ("an", "animals"),
    ("ga", "garden"),
    ("do", "dogs"),
    ("ca", "cats"),
    ("be", "pet_beds"),
    ("ct", "cat_toys"),
    ("to", "tools"),
]
DIAMOND_EDGES = [
    ("an", "do"),
    ("an", "ca"),
    ("do", "be"),
    ("ca", "be"),
    ("ca", "ct"),
    ("ga", "to"),
]


@pytest.fixture(scope="session")
def diamond() -> Taxonomy:
    r"""Return a 7-class DAG with two roots and one class (4) of two parents.

    ::

        animals 0      garden 1
         /     \          |
      dogs 2  cats 3   tools 6
         \     /  \
      pet_beds 4  cat_toys 5
    """
    keywords = {"do": ["puppy", "leash"], "be": ["cushion"]}
    return Taxonomy.from_edges(DIAMOND_CLASSES, DIAMOND_EDGES, keywords)


@pytest.fixture
def lexical(diamond: Taxonomy) -> LexicalView:
    """Return the words of the small corpus and of the diamond's classes."""
    return LexicalView.fit(CORPUS, write_lexical_texts(diamond))


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """Return the embedded MiniLM with a cache of its own."""
    return TextEncoder(
        max_length=64, max_windows=1, device="cpu", cache=tmp_path_factory.mktemp("cache") / "vectors.sqlite"
    )


@pytest.fixture(scope="session")
def shop_texts() -> list[tuple[str, list[str]]]:
    """Return forty texts with label sets of the diamond."""
    subjects = [
        ("A chew bone for my puppy", ["an", "do"]),
        ("Leash and harness for the labrador", ["an", "do"]),
        ("My kitten purrs on it all day,", ["an", "ca"]),
        ("Litter for two cats", ["an", "ca"]),
        ("Feather wand, the cat jumps for it,", ["an", "ca", "ct"]),
        ("Soft cushion the old hound sleeps on", ["an", "do", "be"]),
        ("Steel spade for heavy clay", ["ga", "to"]),
        ("Rake with a long handle", ["ga", "to"]),
    ]
    verbs = ["arrived late", "is worth the money", "broke within a week", "does what it says", "was a gift"]
    return [(f"{subject} {verb}", labels) for subject, labels in subjects for verb in verbs]


@pytest.fixture(scope="session")
def diamond_vectors(encoder: TextEncoder) -> np.ndarray:
    """Return a vector for each class of the diamond, (7, 384)."""
    return encoder.encode([name.replace("_", " ") for _, name in DIAMOND_CLASSES])


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project that all tests of a worker share; each works on a dataset or a variant of its own."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this run of the tests see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def first_run(project: Project, shared_folder: Path) -> Finished:
    """Run everything once on `sample`, in the environment `test`, from a shell."""
    return project.take_run(shared_folder / "first_run", lambda: project.kedro_from_shell("run", "--env=test"))


@pytest.fixture(scope="session")
def ablation_run(project: Project, first_run: Finished, shared_folder: Path) -> Finished:
    """Run the ablation on top of the first run, in the same environment."""
    command = ("run", "--env=test", "--pipeline=ablation")
    return project.take_run(shared_folder / "ablation_run", lambda: project.kedro(*command))


@pytest.fixture(scope="session")
def classifier(encoder: TextEncoder, diamond_vectors: np.ndarray) -> HierarchicalClassifier:
    """Return a zero-shot classifier of the diamond: nothing is trained, nothing may change it."""
    import torch

    from hmltc_kedro.modeling.head import CosineHead

    keywords = {"do": ["puppy", "leash"], "be": ["cushion"]}
    return HierarchicalClassifier(
        encoder.load_model(),
        CosineHead(torch.from_numpy(diamond_vectors), temperature=0.05, prior=0.01).freeze(),
        Taxonomy.from_edges(DIAMOND_CLASSES, DIAMOND_EDGES, keywords),
        decoding=DecodingSettings(child_threshold=0.5, max_paths=2, path_ratio=0.5),
        description={"encoder": "embedded", "seed": 7},
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser that all tests of a worker share."""
    if PROGRAM is None:
        pytest.skip("no chromium is installed; on Debian: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """Return a new tab of the browser."""
    with browser.open() as page:
        yield page


@pytest.fixture(scope="session")
def s3_options() -> Iterator[dict[str, Any]]:
    """Return the options of an S3 server on the loopback."""
    for package in ("moto", "s3fs"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    with serve_s3() as options:
        yield options


@pytest.fixture
def s3(s3_options: dict[str, Any]) -> Place:
    """Return an empty bucket."""
    return make_bucket(s3_options)


@pytest.fixture(params=["local", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty folder of each kind of storage."""
    if request.param == "s3":
        return request.getfixturevalue("s3")
    return Place(str(tmp_path / "files") if request.param == "local" else f"memory:///{uuid.uuid4().hex}")
