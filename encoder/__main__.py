"""`python -m encoder`: the same as the command `encoder`."""

import sys

from encoder.cli import main

sys.exit(main())
