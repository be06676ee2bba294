"""The main job, step by step: prepare, select, check, time, spans, stacks, memory, largest clip, tiles. Each step writes its
records as they come.

    session.py    what the steps share: settings, clips, speeds, budget, display, records
    selection.py  step 0: which clips
    steps.py      the steps behind it
"""
