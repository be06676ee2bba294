"""Names of what compiled code would leave in a timeline."""

TILE_SPANS = ("decision", "reconstruction", "entropy", "superblock row", "trial")
