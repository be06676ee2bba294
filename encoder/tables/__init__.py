"""The specification's number tables (AV1 specification, sections 7.11 to 7.15, 9.3 and 9.4): data in numbers.json, and one loader.

Names are the specification's in lower case. A table `*_cdf` holds, in its last axis, rising cumulative values that end with
32768 and then the adaptation counter 0.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np


@cache
def _numbers() -> dict[str, Any]:
    return json.loads(resources.files(__name__).joinpath("numbers.json").read_text(encoding="utf8"))


def table(name: str, dtype: type = np.int64) -> np.ndarray:
    """A table as an array of the specification's shape. Raises KeyError for a name that is not there."""
    entry = _numbers()[name]
    return np.array(entry["values"], dtype=dtype).reshape(entry["shape"])
