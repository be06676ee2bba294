"""Runs in the first Python process of a program whose memory is watched, before the program's own code. Whatever goes
wrong here is written down, and the program runs on unwatched."""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder


def _watch() -> None:
    try:
        from workbench.instruments.inside import watched_memory
    except ImportError as error:
        # Another Python than the workbench's: no module of ours can write it down.
        import json

        folder = json.loads(os.environ["WORKBENCH_MEMORY"])["folder"]
        with open(os.path.join(folder, "failed"), "w", encoding="utf-8") as file:
            file.write(f"{sys.executable} cannot import the workbench ({error}); install it beside the program")
        return
    watched_memory.watch_program()


def _run_the_other_one() -> None:
    """A sitecustomize of the user's own, which ours hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("WORKBENCH_MEMORY"):
    _run_the_other_one()
    _watch()
