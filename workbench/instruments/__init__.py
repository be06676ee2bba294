"""Instruments turn a Subject into Records, each in a child process; one file each, none knows another."""
