"""Runs in every Python process of a counted program before the program's own code. Whatever goes wrong here is written down,
and the program runs on: counted as a whole, its compiled functions without names."""

import importlib.util
import json
import os
import sys
from importlib.machinery import PathFinder


def _watch() -> None:
    try:
        from workbench.instruments.inside import counted
    except ImportError as error:
        # Another Python than the workbench's: no module of ours can write it down.
        told = json.loads(os.environ["WORKBENCH_COUNT"])
        why = f"{sys.executable} cannot import the workbench ({error}); install it beside the program"
        with open(told["result"], "w", encoding="utf-8") as file:
            json.dump({"frames": None, "slots": {}, "symbols": [], "missing": [why]}, file)
        return
    counted.watch_program()


def _run_the_other_one() -> None:
    """A sitecustomize of the user's own, which ours hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("WORKBENCH_COUNT"):
    _run_the_other_one()
    _watch()
