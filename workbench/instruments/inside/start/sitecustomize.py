"""Runs in every Python process of a watched program before the program's own code; the program never waits for us in vain:
whatever goes wrong here is written down, and the program runs on unwatched."""

import importlib.util
import os
import sys
from importlib.machinery import PathFinder


def _watch() -> None:
    try:
        from workbench.instruments.inside import watched
    except ImportError as error:
        # Another Python than the workbench's: no module of ours can write it down.
        import json

        folder = json.loads(os.environ["WORKBENCH_WATCH"])["folder"]
        with open(os.path.join(folder, f"{os.getpid()}.failed"), "w", encoding="utf-8") as file:
            file.write(f"{sys.executable} cannot import the workbench ({error}); install it beside the program")
        return
    watched.watch_program()


def _run_the_other_one() -> None:
    """A sitecustomize of the user's own, which ours hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("WORKBENCH_WATCH"):
    _run_the_other_one()
    _watch()
