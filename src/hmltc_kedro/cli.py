"""The project's commands: Kedro's `run` and what it has no command for, with errors that a person can act on."""

import copy
import functools
import json
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines, settings
from kedro.io import AbstractDataset, CatalogProtocol, DatasetError
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project
from kedro.validation import ParameterValidationError

from hmltc_kedro.config import check_folders
from hmltc_kedro.display import flatten, show_path
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.table import draw_table, shorten, summarise_states
from hmltc_kedro.freshness.tracker import State, Tracker, count_states
from hmltc_kedro.hooks import check_parameters, explain_missing
from hmltc_kedro.runner import RefreshRunner

NOT_FRESH = 3
"""Exit code of `kedro status --json` where something is stale or missing."""


def find_cause(error: BaseException | None) -> BaseException | None:
    """Return the error in the chain of causes that is about the user's input or disk, if there is one."""
    chain = []
    while error is not None:
        if isinstance(error, InputError | ParameterValidationError) or _is_misspelt(error):
            return error
        chain.append(error)
        error = error.__cause__ or error.__context__
    return next((line for line in map(_explain_entry, chain) if line is not None), None)


def _explain_entry(error: BaseException) -> InputError | None:
    """Return one line for a catalog entry that could not be read or written, None for any other error."""
    frames = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    dataset = next((owner for owner in frames if isinstance(owner, AbstractDataset)), None)
    path = dataset._describe().get("filepath") if dataset is not None else None
    if not path or not isinstance(error, DatasetError | OSError):
        return None
    cause = error.__cause__ or error
    reason = " ".join(str(getattr(cause, "strerror", None) or cause).split())[:300] or type(cause).__name__
    if str(error).startswith("Failed while loading"):
        return InputError(f"{show_path(path)}: cannot be read ({reason}); `kedro refresh` makes a damaged entry again")
    if isinstance(cause, OSError) or type(cause).__name__ == "SafetensorError":  # else the data do not fit: a fault
        mend = "make room or give the right to write there, then `kedro refresh`"
        return InputError(f"{show_path(path)}: cannot be written ({reason}); {mend}")
    return None


def _is_misspelt(error: BaseException) -> bool:
    """Tell whether Kedro refuses the command itself: no such environment, pipeline, node, tag or dataset."""
    if isinstance(error, MissingConfigException):
        return True
    frames = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    refuses = ("kedro.framework.session.session", "kedro.pipeline.pipeline")
    return isinstance(error, ValueError) and bool(frames) and frames[-1] in refuses


def _says_news(_: logging.LogRecord) -> bool:
    """Drop what Kedro logs while it handles an error that the command line explains in one message."""
    return find_cause(sys.exc_info()[1]) is None


def explain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that wrong input is one message without a traceback."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        warnings.filterwarnings("ignore", "Option '--pipeline' is deprecated")  # both spellings are documented
        for handler in logging.getLogger().handlers:
            handler.addFilter(_says_news)
        try:
            return command(*args, **kwargs)
        except Exception as error:
            cause = find_cause(error)
            if cause is None:
                raise
            raise click.ClickException(str(cause)) from None

    return wrapper


@click.group(name="hmltc_kedro")
def cli() -> None:
    """Commands of this project; in its repository they are commands of `kedro`.

    Of the installed package `run` is the command where none is named.
    """


def keep_name(option: click.Parameter) -> click.Parameter:
    """Return the option `--params` with the dataset's name as it was typed: Kedro would read 007 as the number 7."""
    parse = option.callback
    if option.name != "params" or parse is None:
        return option

    def parse_and_keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        parameters = parse(context, parameter, value)
        items = (item.partition("=") for item in value.split(",")) if isinstance(value, str) else ()
        typed = {name.strip(): text.strip() for name, _, text in items}
        if "dataset" in typed and not isinstance(parameters["dataset"], str):
            parameters["dataset"] = typed["dataset"]
        return parameters

    kept = copy.copy(option)
    kept.callback = parse_and_keep
    return kept


OPTIONS = [keep_name(option) for option in kedro_run.params]
"""Of `kedro run`."""

run = copy.copy(kedro_run)
run.params = OPTIONS
if kedro_run.callback is not None:
    run.callback = explain_errors(kedro_run.callback)
cli.add_command(run)


def find_root() -> Path:
    """Return the project's folder: Kedro's around the current one, which is it where there is none."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@explain_errors
def prepare_amazon531(folder: Path) -> None:
    """Make a dataset of FOLDER, your copy of TELEClass' data or of Kaggle's reviews.

    TELEClass': data/Amazon-531 of a clone of https://github.com/yzhan238/TELEClass, copied to data/01_raw/amazon531. No
    file is overwritten: what is there must be the same.

    Kaggle's: train_40k.csv and val_10k.csv of kashnitsky/hierarchical-text-classification, tokenised for a new
    data/01_raw/amazon531_kaggle. The classes are those of data/01_raw/amazon531, or TELEClass' files in FOLDER.

    All is checked, and nothing is written if anything is wrong.
    """
    from hmltc_kedro.corpus import amazon531, kaggle_reviews

    raw = Path("data/01_raw")
    whole, other = raw / "amazon531", raw / kaggle_reviews.DATASET
    if kaggle_reviews.holds_reviews(folder):
        made = kaggle_reviews.prepare_reviews(folder, find_root() / whole, find_root() / other)
        click.echo("\n".join([*made.describe(), f"Written  {other}"]))
        click.echo(f"Next: kedro run --env=amazon531 --params=dataset={other.name}")
        return
    prepared = amazon531.prepare(folder, find_root() / whole)
    click.echo(f"Amazon-531: {prepared.counts}")
    for title, names in (("Written", prepared.written), ("There already", prepared.unchanged)):
        if names:
            click.echo("\n".join([title, *(f"  {whole / name}" for name in names)]))
    click.echo("Next: kedro run --env=amazon531")


@cli.command()
@click.argument("name")
@click.option("--classes", required=True, type=click.Path(path_type=Path), help="List, tree, paths, YAML, JSON or CSV.")
@click.option(
    "--documents", required=True, type=click.Path(path_type=Path), help="Text, a document a line; CSV, Parquet."
)
@click.option("--test-share", default=0.2, show_default=True, type=float, help="Of them.")
@click.option("--seed", default=42, show_default=True, type=click.IntRange(0), help="Of the draw of the test part.")
@click.option("--id-column", help="Of a table: doc_id or id if left out; rows are numbered where there is neither.")
@click.option("--text-column", "text_columns", multiple=True, default=["text"], help="Of a table; may be repeated.")
@explain_errors
def new_dataset(name: str, **sources: Any) -> None:
    """Make the dataset NAME, data/01_raw/NAME, of a file of classes and a pile of documents.

    Nothing is written if anything is wrong, and no dataset is overwritten. data/01_raw/README.md has the forms.
    """
    from hmltc_kedro.corpus.new_dataset import make_dataset

    check_folders({"dataset": name})
    made = make_dataset(find_root() / "data" / "01_raw" / name, **sources)
    click.echo("\n".join([f"Made data/01_raw/{name}", *(f"  {line}" for line in made.describe())]))
    click.echo(f"Next: kedro run --pipeline=ingest --params=dataset={name}, and without --pipeline the whole chain")


# ---------------------------------------------------------------------- freshness


def _project_command(*names: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a command with these options of `kedro run`."""

    def decorate(command: Callable[..., Any]) -> click.Command:
        options = {option.name: option for option in OPTIONS}
        made = click.command()(explain_errors(command))
        made.params = [*(options[name] for name in names), *made.params]
        return made

    return decorate


_freshness_command = _project_command("env", "params", "pipeline", "pipelines", "conf_source")


def _choose_pipelines(chosen: dict[str, Any]) -> list[str]:
    """Return the names under `pipeline` and `pipelines`, or Kedro's default.

    Raises:
        InputError: there is no such pipeline.
    """
    one = [chosen["pipeline"]] if chosen["pipeline"] else []
    names = list(dict.fromkeys([*one, *chosen["pipelines"]])) or ["__default__"]
    if unknown := [name for name in names if name not in pipelines]:
        raise InputError(f"there is no pipeline `{unknown[0]}`; use {', '.join(pipelines)}")
    return names


def _find_states(names: list[str], options: dict[str, Any]) -> tuple[list[State], list[State]]:
    """Return the states of what the named pipelines make, and of what else they depend on; stage by stage."""
    with settings.SESSION_CLASS.create(**options) as session:
        catalog = session.load_context().catalog
    check_parameters(catalog)
    whole: Pipeline = sum((pipelines[name] for name in names), Pipeline([]))
    own = {node.name for node in whole.nodes}
    while made := {entry for pipeline in pipelines.values() for entry in whole.inputs() & pipeline.all_outputs()}:
        entry = min(made)
        whole += next(p for p in pipelines.values() if entry in p.all_outputs()).only_nodes_with_outputs(entry)
    stages = list(pipelines)
    states = Tracker(whole.nodes, catalog).find_states()
    states.sort(key=lambda state: stages.index(state.stage) if state.stage in stages else len(stages))
    return [state for state in states if state.node in own], [state for state in states if state.node not in own]


@_freshness_command
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and exit with 3 if anything is stale or missing.")
def status(as_json: bool, env: str, params: dict[str, Any], conf_source: str, **chosen: Any) -> None:
    """Show which entries are fresh, stale or missing, and why."""
    logging.disable(logging.WARNING if as_json else logging.INFO)
    options = {"env": env, "runtime_params": params, "conf_source": conf_source}
    states, others = _find_states(_choose_pipelines(chosen), options)
    if as_json:
        click.echo(json.dumps({**count_states(states), "entries": [state.to_json() for state in states]}, indent=2))
        raise click.exceptions.Exit(0 if all(state.state == "fresh" for state in states) else NOT_FRESH)
    click.echo("\n".join([*draw_table(states), "", *summarise_states(states)]))
    _warn_of(others)


@_freshness_command
def refresh(env: str, params: dict[str, Any], conf_source: str, **chosen: Any) -> None:
    """Run what is stale or missing, and what depends on it as far as that changed."""
    names, runner = _choose_pipelines(chosen), RefreshRunner()
    options = {"env": env, "runtime_params": params, "conf_source": conf_source}
    logging.getLogger("kedro_viz").setLevel(logging.ERROR)  # it warns of every run that is not a whole one
    with settings.SESSION_CLASS.create(**options) as session:
        session.run(pipeline_names=names, runner=runner)
    total = len(runner.ran) + len(runner.fresh) + len(runner.unchanged)
    click.echo(f"\nRefreshed {len(runner.ran)} of {total} nodes" if runner.ran else "\nNothing to refresh")
    width = max(map(len, runner.ran), default=0)
    for name, reasons in runner.ran.items():
        click.echo(f"  {name:{width}}  {shorten(reasons)}")
    if runner.unchanged:
        click.echo(f"Left alone, what they read is as it was: {', '.join(runner.unchanged)}")
    if runner.fresh:
        click.echo(f"Left alone, fresh: {', '.join(runner.fresh)}")
    if "__default__" not in names:
        _warn_of(_find_states(names, options)[1])


def _warn_of(others: list[State]) -> None:
    """Say what else a part of the chain depends on that is not fresh."""
    names = [f"`{state.entry or state.node}`" for state in others if state.state != "fresh"]
    if names:
        click.echo(f"Outside of this pipeline and not fresh: {', '.join(names)}")


# ---------------------------------------------------------------------- predict


@_project_command("env", "params", "conf_source")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="Table to write, likewise.")
def predict(env: str, params: dict[str, Any], conf_source: str, file: Path, target: Path) -> None:
    """Label the documents of FILE, a table as CSV, Parquet or Excel, with the trained model.

    Columns are called as `ingest.columns` says; without one of ids rows are numbered from 0. Written are names,
    probabilities, paths, scores, fits and decision of each document. Nothing is trained.
    """
    from hmltc_kedro.labelling.table import label_table

    logging.disable(logging.INFO)
    options = {"env": env, "runtime_params": params, "conf_source": conf_source}
    with settings.SESSION_CLASS.create(**options) as session:
        catalog = session.load_context().catalog
    check_parameters(catalog)
    (model,) = _find_entries(catalog, options, "classifier").values()
    ingest, label = (catalog.load(f"params:{stage}") for stage in ("ingest", "label"))
    done = label_table(
        file,
        target,
        Path(model._describe()["filepath"]),
        id_column=ingest.columns.doc_id,
        text_columns=ingest.columns.text,
        batch_size=label.batch_size,
        skip_invalid=ingest.on_invalid == "skip",
    )
    click.echo(f"{file}: {done.describe()}\nWritten to {target}")


# ---------------------------------------------------------------------- review


@_project_command("env", "params", "conf_source")
@click.option("--export", "target", type=click.Path(path_type=Path), help="Write the most doubtful documents to FILE.")
@click.option("--import", "source", type=click.Path(path_type=Path), help="Take the answers of FILE into labels.csv.")
@click.option("--count", default=100, show_default=True, type=click.IntRange(min=1), help="Documents to export.")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["csv", "label-studio", "argilla"]),
    help="Of FILE; left out, by its ending: .csv, .json (Label Studio) or .jsonl (Argilla).",
)
def review(
    env: str,
    params: dict[str, Any],
    conf_source: str,
    target: Path | None,
    source: Path | None,
    count: int,
    wanted: str | None,
) -> None:
    """Have people look at documents: export them, and import what people say.

    The documents are those whose prediction is most in doubt and that nobody has labelled. In the file, correct the
    classes, and remove what you do not want to answer; labels win over everything.
    """
    from hmltc_kedro.annotation.review import choose_format, choose_items, import_answers, write_items

    file = target or source
    if file is None or (target and source):
        raise click.UsageError("give --export FILE or --import FILE")
    file_format = choose_format(file, wanted)
    logging.disable(logging.INFO)
    options = {"env": env, "runtime_params": params, "conf_source": conf_source}
    with settings.SESSION_CLASS.create(**options) as session:
        catalog = session.load_context().catalog
    check_parameters(catalog)
    again = "".join([f" --env={env}" if env else "", *(f" --params={k}={v}" for k, v in flatten(params))])
    if source is not None:
        documents, taxonomy = _load_entries(catalog, options, "documents", "taxonomy")
        labels_path = Path(catalog.get("raw_labels")._describe()["filepath"])
        done = import_answers(source, labels_path, documents, taxonomy, file_format)
        click.echo(f"{source}: {done.describe()}")
        if done.added or done.changed:
            click.echo(f"Written to {show_path(labels_path)}; next: kedro refresh{again}")
        return
    names = ("document_diagnostics", "predictions", "candidate_scores", "documents", "labels", "taxonomy")
    diagnostics, predictions, candidates, documents, labels, taxonomy = _load_entries(catalog, options, *names)
    items = choose_items(diagnostics, predictions, candidates, documents, labels, taxonomy, count)
    files = write_items(items, file, file_format, taxonomy)
    click.echo(f"{len(items)} documents, the most doubtful first: {', '.join(map(str, files))}")
    click.echo(f"Next: review them, then kedro review --import {file}{again}")


def _load_entries(catalog: CatalogProtocol[Any, Any], options: dict[str, Any], *names: str) -> list[Any]:
    """Return what the entries hold; see `_find_entries`."""
    _find_entries(catalog, options, *names)
    return [catalog.load(name) for name in names]


def _find_entries(catalog: CatalogProtocol[Any, Any], options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the entries by name.

    Raises:
        InputError: one line an entry that was not made yet.
    """
    entries = {name: catalog.get(name) for name in names}
    missing = [explain_missing(n, e, options) for n, e in entries.items() if e is not None and not e.exists()]
    if missing:
        raise InputError("\n".join(missing))
    return entries


cli.add_command(predict)
cli.add_command(status)
cli.add_command(refresh)
cli.add_command(review)
