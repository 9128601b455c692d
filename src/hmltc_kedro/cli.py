"""The project's command line: Kedro's `run`, with errors a person can act on."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.validation import ParameterValidationError

from hmltc_kedro.errors import InputError


def find_cause(error: BaseException) -> BaseException | None:
    """Return the error in the chain of causes that is about the user's input, if there is one."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, InputError | ParameterValidationError):
            return current
        current = current.__cause__ or current.__context__
    return None


def explain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that wrong input is one message without a traceback."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
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
