"""The sections of a profile's report, one file a group: findings in, blocks out. What was not measured says so."""
