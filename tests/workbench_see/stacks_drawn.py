"""Folded stacks for hypothesis: any that the contract allows, with recursion, threads, inlined and nameless frames."""

from hypothesis import strategies as st

NAMES = (
    "main",
    "walk",
    "set_numba.satd",
    "tile.walk.split",
    "outer.<locals>.inner",
    "<module>",
    "größer",
    "a b",
    "f (x)",
)
PATHS = ("a.py", "encoder/tile/walk.py", "/tmp/with (brackets)/b.py", "<frozen importlib._bootstrap>")
LINES = st.integers(1, 4)

placed = st.builds(
    lambda name, path, line: f"{name} ({path}:{line})", st.sampled_from(NAMES), st.sampled_from(PATHS), LINES
)
inlined = st.builds(lambda line: f"_row [inlined] (a.py:{line})", LINES)
bare = st.sampled_from(["[unknown]", "[libc.so.6] memcpy", "[libc.so.6]", "set_numba.sad", "walk (a.py)"])
frames = st.one_of(placed, placed, inlined, bare)
threads = st.sampled_from(["thread main", "thread 2", "thread 3"])


@st.composite
def stacks(draw, with_threads=None):
    """One profile: stack -> samples, none where nothing was sampled."""
    threaded = draw(st.booleans()) if with_threads is None else with_threads
    stack = st.lists(frames, min_size=1, max_size=6)
    if threaded:
        stack = st.builds(lambda thread, rest: [thread, *rest], threads, stack)
    return draw(st.dictionaries(stack.map(";".join), st.integers(1, 1000), min_size=1, max_size=12))
