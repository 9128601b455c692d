"""The project's command line: Kedro's `run`, with errors a person can act on."""

import copy
import functools
import logging
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.validation import ParameterValidationError

from hmltc_kedro.errors import InputError


def find_cause(error: BaseException | None) -> BaseException | None:
    """Return the error in the chain of causes that is about the user's input, if there is one."""
    while error is not None:
        if isinstance(error, InputError | ParameterValidationError) or _is_misspelt(error):
            return error
        error = error.__cause__ or error.__context__
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
    """Commands of this project."""


run = copy.copy(kedro_run)
if kedro_run.callback is not None:
    run.callback = explain_errors(kedro_run.callback)
cli.add_command(run)
