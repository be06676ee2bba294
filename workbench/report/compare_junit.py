"""A comparison as JUnit XML, which continuous integration shows as tests: a case for each kernel and clip.

error    the controls found that the instrument is not fit; a program died or hung
failure  B is slower than allowed; the gate found that outputs differ
skipped  undecided
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from workbench import units
from workbench.analysis.compared import Compared, Part
from workbench.analysis.verdict import Word
from workbench.report.compare_tables import change, interval
from workbench.report.compare_text import NO_PAIR

PASSED, FAILURE, SKIPPED, ERROR = "", "failure", "skipped", "error"
_COUNTERS = {FAILURE: "failures", ERROR: "errors", SKIPPED: "skipped"}
_NOT_IN_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_text(result: Compared, allowed: float | None = None) -> str:
    """The file. `allowed`: 0.02 lets B be slower by 2 %; None allows what is within each part's margin."""
    root = Element("testsuites")
    suite = SubElement(root, "testsuite", name=_legal(f"workbench compare: {result.title_a}, {result.title_b}"))
    outcomes = [_add_case(suite, part, result.word(part), *_outcome(part, result, allowed)) for part in result.parts]
    if not outcomes:
        outcome, message = _without_parts(result)
        case = SubElement(suite, "testcase", classname="workbench.compare", name="all", time="0")
        SubElement(case, outcome, message=_legal(message))
        outcomes = [outcome]
    suite.set("tests", str(len(outcomes)))
    for outcome, counter in _COUNTERS.items():
        suite.set(counter, str(outcomes.count(outcome)))
    suite.set("time", f"{sum(part.seconds for part in result.parts):.3f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _without_parts(result: Compared) -> tuple[str, str]:
    if result.failure is None:
        return SKIPPED, NO_PAIR
    return FAILURE if result.failure.is_of_outputs else ERROR, result.failure.message


def _outcome(part: Part, result: Compared, allowed: float | None) -> tuple[str, str]:
    """(element, message) of a part's case; no element where it passed."""
    word = result.word(part)
    if part.fitness.fit is False:
        return ERROR, f"the instrument is not fit today: {'; '.join(part.fitness.why)}"
    if allowed is None:
        if word == Word.SLOWER:
            return FAILURE, f"slower: {_figures(part)}"
        return (SKIPPED, f"undecided: {_figures(part)}") if word == Word.UNDECIDED else (PASSED, "")
    slower = part.verdict.slower_than(allowed)
    if slower and word != Word.UNDECIDED:
        return FAILURE, f"slower by more than {units.percent(allowed)}: {_figures(part)}"
    if slower is False:
        return PASSED, ""
    return SKIPPED, f"nobody can tell whether it is slower by more than {units.percent(allowed)}: {_figures(part)}"


def _figures(part: Part) -> str:
    """`+1.2 % time (+0.9 % to +1.6 %), 23 pairs`"""
    verdict = part.verdict
    ends = f" ({interval(verdict)})" if interval(verdict) else ""
    return f"{change(verdict.ratio)} time{ends}, {verdict.pairs} pairs" if verdict.ratio is not None else "no pairs"


def _add_case(suite: Element, part: Part, word: Word, outcome: str, message: str) -> str:
    """Write a part's case; gives its outcome."""
    where = {"classname": f"workbench.compare.{part.kind}", "name": _legal(part.name), "time": f"{part.seconds:.3f}"}
    case = SubElement(suite, "testcase", where)
    if outcome:
        SubElement(case, outcome, message=_legal(message))
    SubElement(case, "system-out").text = _legal(f"{word}, {_figures(part)}")
    return outcome


def _legal(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_IN_XML.sub("?", text)
