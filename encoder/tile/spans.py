"""Spans of a tile's code: added up by stage, and in the build for timelines recorded one by one (see encoder/probe.py)."""

from numpy import int64

from encoder.probe import (
    BLOCK_DETAIL,
    COUNT_AT,
    DETAIL_AT,
    LOST_AT,
    ROW_DETAIL,
    SPAN_WORDS,
    SPANS_AT,
    SUPERBLOCK_ROW,
    TRACED,
    clock,
)


def begin_span(t):
    """Ticks now, where somebody wants to know; else 0."""
    if TRACED or t.probe:
        return clock()
    return int64(0)


def end_span(t, span, began, mi_row, mi_col, block_size):
    """What `span` of encoder/probe.py took since `began`, at a place; gives the ticks now, as begin_span does."""
    if TRACED or t.probe:
        now = clock()
        t.spans[span] += now - began
        if TRACED:
            _record(t, span, began, now, mi_row, mi_col, block_size)
        return now
    return int64(0)


def _record(t, span, began, ended, mi_row, mi_col, block_size):
    """One more span in t.spans, if the timeline is that fine: its first word is span, block size, row and column, 16 bits each."""
    if t.spans[DETAIL_AT] < (ROW_DETAIL if span == SUPERBLOCK_ROW else BLOCK_DETAIL):
        return
    at = SPANS_AT + t.spans[COUNT_AT] * SPAN_WORDS
    if at + SPAN_WORDS > len(t.spans):
        t.spans[LOST_AT] += 1
        return
    t.spans[at] = span | block_size << 16 | mi_row << 32 | mi_col << 48
    t.spans[at + 1] = began
    t.spans[at + 2] = ended
    t.spans[COUNT_AT] += 1
