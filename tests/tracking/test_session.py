"""A run ends well whatever MLflow does."""

from typing import Any

import pytest
from kedro.io import DataCatalog

from hmltc_kedro.tracking import session


def test_run_succeeds_where_mlflow_does_not(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any) -> list[str]:
        raise OSError("API request to https://me:secret@host/api\nfailed")

    monkeypatch.setattr(session, "find_store", lambda _: object())
    monkeypatch.setattr(session, "track", refuse)
    context: Any = None
    tracking = session.Tracking()
    tracking.find(context)
    assert tracking.end([], ["metrics"], DataCatalog({})) == []
    assert caplog.messages == ["MLflow has not kept this run (API request to https://***@host/api failed)"]


def test_nothing_is_kept_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "track", pytest.fail)
    assert session.Tracking().end([], ["metrics"], DataCatalog({})) == []
