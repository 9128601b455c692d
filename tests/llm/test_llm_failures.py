from __future__ import annotations

import pytest

from hmltc_kedro.llm.failures import Failure, judge_error
from hmltc_kedro.llm.settings import OpenAISettings


@pytest.mark.parametrize("error", [TimeoutError(), ValueError("broken"), ValueError()])
def test_local_errors_mean_unreachable(error: Exception) -> None:
    verdict = judge_error(error, OpenAISettings())
    assert verdict.failure is Failure.UNREACHABLE and verdict.reason
