"""The main job, step by step: prepare, select, check, time, profile, memory, tiles. Each step writes its records as
they come.

    session.py    what the steps share: settings, clips, speeds, budget, display, records
    selection.py  step 0: which clips
    steps.py      steps 1 to 5
"""
