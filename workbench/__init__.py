"""The performance workbench: measures an AV1 encoder as a user would run it, keeps every raw sample, reports often."""
