"""The measuring of a comparison, step by step: what `workbench compare` and `workbench doctor` have in common."""
