"""The cache of vectors keeps what it was given first."""

from pathlib import Path

import numpy as np

from hmltc_kedro.text.vector_cache import VectorCache


def test_cache_returns_what_it_has_and_keeps_the_first(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "deep" / "cache.sqlite")
    keys = [bytes([i]) * 32 for i in range(3)]
    cache.put(keys[:2], np.eye(2, dtype=np.float32))
    cache.put(keys[:1], np.full((1, 2), 7, dtype=np.float32))
    cache.close()
    found = VectorCache(tmp_path / "deep" / "cache.sqlite").get(keys)
    assert {k: v.tolist() for k, v in found.items()} == {keys[0]: [1, 0], keys[1]: [0, 1]}
