"""The reader of callgrind's files: names, relative addresses, calls, recursion; and what is no such file."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.callgrind import UNKNOWN, FormatError, Symbol, SymbolMap, read_costs

HEAD = ["# callgrind format", "version: 1", "positions: instr line", "events: Ir", ""]
NO_SYMBOLS = SymbolMap([])


def read(text: str, symbols: SymbolMap = NO_SYMBOLS) -> dict[str, tuple[int, int | None, int]]:
    """Instructions, those with callees, and calls by name."""
    found = read_costs([*HEAD, *text.split("\n")], symbols)
    return {name: (each.instructions, each.inclusive, each.calls) for name, each in found.items()}


def test_costs_stand_by_file_and_function() -> None:
    text = "ob=(1) /lib/libc.so.6\nfl=(1) a.c\nfn=(1) malloc\n0x10 5 3\n+2 * 4\n\nfn=(2) free\n0x20 7 5\n\nfn=(1)\n0x12 1 10"
    assert read(text) == {"[libc.so.6] malloc": (17, 17, 0), "[libc.so.6] free": (5, 5, 0)}


def test_a_callee_in_another_file_and_one_in_the_same() -> None:
    text = (
        "ob=(1) /lib/a.so\nfn=(1) outer\n0x10 1 2\ncob=(2) /lib/b.so\ncfn=(2) inner\ncalls=3 0x50 0\n+4 * 30\n"
        "cfn=(3) local\ncalls=1 0x60 0\n* * 7\n+1 * 1\n\nob=(2)\nfn=(2)\n0x50 0 30\n\nob=(1)\nfn=(3)\n0x60 0 7"
    )
    assert read(text) == {"[a.so] outer": (3, 40, 0), "[b.so] inner": (30, 30, 3), "[a.so] local": (7, 7, 1)}


def test_compiled_code_is_named_by_address_and_nothing_is_guessed() -> None:
    symbols = SymbolMap([Symbol(0x1000, 0x10, "walk"), Symbol(0x1010, 0x8, "sad")])
    text = "ob=(9) ???\nfn=(5) 0x1000\n0x1000 0 2\ncfn=(6) 0x1010\ncalls=4 0x1010 0\n+f 0 8".replace("+f", "+15")
    text += "\n\nfn=(6)\n0x1010 0 4\n+7 0 4\n+1 0 100\n0xfff 0 50"
    assert read(text, symbols) == {"walk": (2, 10, 0), "sad": (8, 8, 4), UNKNOWN: (150, 150, 0)}


def test_calls_from_before_the_counting_began_are_no_cost_of_the_caller() -> None:
    """Counters were set to 0 in the middle of a call: callgrind writes it with no calls, and with all its cost."""
    found = read("ob=(1) a.so\nfn=(1) main\n0x10 0 1\ncfn=(2) run\ncalls=0 0x50 0\n* * 500\n\nfn=(2)\n0x50 0 500")
    assert found == {"[a.so] main": (1, 501, 0), "[a.so] run": (500, 500, 0)}


@pytest.mark.parametrize(
    "text",
    [
        "ob=(1) a.so\nfn=(1) f\n0x10 0 1\ncfn=(2) f'2\ncalls=1 0x10 0\n* * 9\n\nfn=(2)\n0x10 0 9",
        "ob=(1) a.so\nfn=(1) f\n0x10 0 1\ncfn=(3) g\ncalls=1 0x90 0\n* * 9\n\nfn=(3)\n0x90 0 1\ncfn=(2) f'2\ncalls=1 0x10 0\n"
        "* * 8\n\nfn=(2)\n0x10 0 8",
    ],
)
def test_of_a_recursive_function_only_what_it_does_itself_is_known(text: str) -> None:
    found = read(text)
    assert found["[a.so] f"][1] is None and sum(own for own, _, _ in found.values()) == 10


@pytest.mark.parametrize("head", [[], ["positions: line", "events: Ir"], ["positions: instr line", "events: Ir Dr"]])
def test_what_is_no_file_of_callgrinds_is_refused(head: list[str]) -> None:
    with pytest.raises(FormatError, match="dump-instr"):
        read_costs([*head, "fn=(1) f", "0x10 0 1"], NO_SYMBOLS)


# --- any program ------------------------------------------------------------------------------------------------------

FUNCTION = 0x40  # bytes of each


@dataclass
class Called:
    """A call that is being made up: the function, what it does itself, whom it calls."""

    function: int
    own: list[tuple[int, int]]
    callees: list["Called"] = field(default_factory=list)

    def whole(self) -> int:
        return sum(cost for _, cost in self.own) + sum(callee.whole() for callee in self.callees)

    def all(self) -> Iterator["Called"]:
        yield self
        for callee in self.callees:
            yield from callee.all()


def calls(depth: int) -> st.SearchStrategy[Called]:
    """Calls of functions of this depth, which call deeper ones alone: nothing is recursive."""
    own = st.lists(st.tuples(st.integers(0, FUNCTION - 1), st.integers(1, 10**6)), max_size=4)
    function = st.integers(3 * depth, 3 * depth + 2)
    if depth == 3:
        return st.builds(Called, function, own)
    return st.builds(Called, function, own, st.lists(calls(depth + 1), max_size=3))


def written(root: Called, in_files: bool) -> str:
    """The file that callgrind would write of it, every address relative where it can be, every name once."""
    lines, seen, last = [], set(), 0

    def name(key: str, number: int, text: str) -> str:
        first = (key[-2:], number) not in seen
        seen.add((key[-2:], number))
        return f"{key}=({number}) {text}" if first else f"{key}=({number})"

    def place(address: int, is_cost: bool = True) -> str:
        nonlocal last
        step = address - last
        if is_cost:
            last = address
        return "*" if not step else f"{step:+d}" if abs(step) < 100 else f"{address:#x}"

    for call in root.all():
        at = FUNCTION * (call.function + 1)
        lines += [name("ob", 1, "/lib/x.so" if in_files else "???"), name("fn", call.function, f"f{call.function}")]
        lines += [f"{place(at + offset)} 0 {cost}" for offset, cost in call.own]
        for callee in call.callees:
            to = FUNCTION * (callee.function + 1)
            lines += [name("cfn", callee.function, f"f{callee.function}"), f"calls=1 {place(to, is_cost=False)} 0"]
            lines.append(f"{place(at)} 0 {callee.whole()}")
    return "\n".join(lines)


@settings(deadline=None)
@given(calls(0), st.booleans())
def test_any_tree_of_calls_is_read_as_it_was(root: Called, in_files: bool) -> None:
    symbols = SymbolMap(Symbol(FUNCTION * (number + 1), FUNCTION, f"f{number}") for number in range(12))
    found = read_costs([*HEAD, *written(root, in_files).split("\n")], NO_SYMBOLS if in_files else symbols)
    made = list(root.all())
    for number in range(12):
        mine = [call for call in made if call.function == number]
        each = found.get(f"[x.so] f{number}" if in_files else f"f{number}")
        if each is None:
            assert not any(call.own or call.callees for call in mine) and not any(
                callee.function == number for call in made for callee in call.callees
            )
            continue
        assert each.instructions == sum(cost for call in mine for _, cost in call.own)
        assert each.inclusive == sum(call.whole() for call in mine)
        assert each.calls == len(mine) - (root.function == number)
    assert sum(each.instructions for each in found.values()) == root.whole()
