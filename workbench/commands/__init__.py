"""The verbs of the command line: `commands/<verb>.py` holds the click command named `<verb>`; its docstring is the
help text.

Modules here are imported to print the help, so what is heavy (numba, matplotlib, av, rich) is imported inside
functions.
"""

VERBS = ("profile", "compare", "doctor", "corpus", "kernels", "flame", "trace", "memory", "counts", "report")
