"""The floors of the house: who may import whom; every command is documented; what is public says what it does."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Module or package -> floor. The longest name that fits counts; a module may import its own floor and those below.
FLOORS = {
    "encoder.errors": 0,
    "encoder.spec": 0,
    "encoder.intmath": 0,
    "encoder.tables": 0,
    "encoder.byref": 0,
    "encoder.simd": 0,
    "encoder.probe": 0,
    "encoder.timeline": 0,
    "encoder.compiled": 0,
    "encoder.tiling": 1,
    "encoder.picture": 1,
    "encoder.bits": 1,
    "encoder.config": 1,
    "encoder.presets": 1,
    "encoder.kernels": 2,
    "encoder.tile": 3,
    "encoder.frame": 4,
    "encoder.compile_ahead": 5,
    "encoder.stream": 5,
    "encoder.y4m": 5,
    "encoder.ivf": 5,
    "encoder.containers": 5,
    "encoder.files": 5,
    "encoder.quality": 5,
    "encoder": 6,
    "encoder.stress": 6,
    "encoder.job": 6,
    "encoder.cli": 6,
    "encoder.__main__": 6,
    "workbench.errors": 0,
    "workbench.units": 0,
    "workbench.stats": 0,
    "workbench.files": 0,
    "workbench.budget": 0,
    "workbench.launch": 0,
    "workbench.callgrind": 0,
    "workbench.repeated": 0,
    "workbench.child": 1,
    "workbench.standing": 1,
    "workbench.past": 1,
    "workbench.pairs": 1,
    "workbench.meters": 1,
    "workbench.record": 1,
    "workbench.machine": 1,
    "workbench.corpus": 2,
    "workbench.subject": 2,
    "workbench.revisions": 2,
    "workbench.sides": 2,
    "workbench.encode": 2,
    "workbench.kept": 2,
    "workbench.noise": 2,
    "workbench.repetition": 2,
    "workbench.instruments": 3,
    "workbench.symbols": 3,
    "workbench.analysis": 4,
    "workbench.report": 5,
    "workbench.profiling": 5,
    "workbench.comparing": 5,
    "workbench": 6,
    "workbench.commands": 6,
    "workbench.cli": 6,
    "workbench.__main__": 6,
}
# What the workbench measures from inside; everything else of the encoder it runs as a user would, as a process.
MEASURED_FROM_INSIDE = (
    "encoder.kernels",
    "encoder.probe",
    "encoder.compiled",
    "encoder.config",
    "encoder.errors",
    "encoder.tiling",
)
# These run in the encoder's process: they are the encoder, watched.
INSIDE = ("workbench.instruments.inside",)
PLAIN_SUBSET = (
    "encoder.tile",
    "encoder.frame.filters",
    "encoder.frame.cdef_costs",
    "encoder.frame.restoration",
    "encoder.frame.motion_field",
    "encoder.frame.motion",
    "encoder.frame.temporal_blocks",
    "encoder.kernels.set_",
)


def modules(package: str) -> dict[str, Path]:
    """Module name -> file, for every module of a package."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = {**modules("encoder"), **modules("workbench")}


def imports(module: str) -> Iterator[tuple[str, int]]:
    """(module of ours, line) for every import in a module, those inside functions too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            # "from encoder import stream" imports the module, "from encoder.stream import encode" a name out of it.
            names = [name if (name := f"{source}.{alias.name}") in MODULES else source for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] in ("encoder", "workbench"):
                yield name, node.lineno


def floor(module: str) -> int:
    name = module
    while name not in FLOORS:
        name = name.rpartition(".")[0]
    assert name == module or name not in ("encoder", "workbench"), f"{module} has no floor: give it one in {__name__}"
    return FLOORS[name]


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages or in one; a name that ends in _ stands for all that begin so."""
    return any(f"{module}.".startswith(package if package.endswith("_") else f"{package}.") for package in packages)


def test_there_are_modules_to_look_at() -> None:
    assert len(modules("encoder")) > 20 and len(modules("workbench")) > 20
    assert ("encoder.errors", 11) not in imports("encoder.cli")
    assert "encoder.errors" in {name for name, _ in imports("encoder.cli")}


def test_every_floor_belongs_to_a_module() -> None:
    assert set(FLOORS) <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_lead_to_the_same_floor_or_down(module: str) -> None:
    up = [
        f"{MODULES[module].relative_to(ROOT)}:{line}: floor {floor(module)} imports {name} of floor {floor(name)}"
        for name, line in imports(module)
        if name.split(".")[0] == module.split(".")[0] and floor(name) > floor(module)
    ]
    assert not up, "\n".join(up)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {name for name, _ in imports(module) if name != module} for module in MODULES}
    # Take away who imports none of the others, or is imported by none of them, until only circles are left.
    while outside := {m for m in graph if not graph[m] & graph.keys() or all(m not in graph[other] for other in graph)}:
        graph = {module: targets for module, targets in graph.items() if module not in outside}
    assert not graph, "\n".join(
        f"{module} imports {sorted(targets & graph.keys())}" for module, targets in graph.items()
    )


@pytest.mark.parametrize("module", modules("encoder"))
def test_encoder_never_imports_workbench(module: str) -> None:
    assert not [name for name, _ in imports(module) if name.startswith("workbench")]


@pytest.mark.parametrize("module", [module for module in modules("workbench") if not is_within(module, INSIDE)])
def test_workbench_imports_of_the_encoder_only_what_it_measures_from_inside(module: str) -> None:
    taken = {name for name, _ in imports(module) if name.split(".")[0] == "encoder"}
    assert not {name for name in taken if not is_within(name, MEASURED_FROM_INSIDE)}


def test_instruments_do_not_know_each_other() -> None:
    instruments = {module for module in modules("workbench") if module.rpartition(".")[0] == "workbench.instruments"}
    instruments -= set(INSIDE)
    assert len(instruments) > 5
    for module in [*instruments, *(module for module in MODULES if is_within(module, INSIDE))]:
        assert not {name for name, _ in imports(module) if name in instruments}, module


def test_analysis_does_not_know_instruments() -> None:
    for module in MODULES:
        if is_within(module, ("workbench.analysis", "workbench.report")):
            assert not [name for name, _ in imports(module) if name.startswith("workbench.instruments")], module


def public_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("module", MODULES)
def test_what_is_public_says_what_it_does(module: str) -> None:
    """Kernel variants are left out: their contract is written once, in encoder/kernels/table.py."""
    tree = ast.parse(MODULES[module].read_text())
    text = MODULES[module].read_text().strip()
    assert not text or ast.get_docstring(tree), f"{module} has no docstring"
    if is_within(module, ("encoder.kernels.set_",)):
        return
    silent = [name for name, node in public_definitions(tree.body) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not silent, f"{module}: no docstring on {', '.join(silent)}"


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_have_types(module: str) -> None:
    """All but the plain subset, which is compiled as it stands."""
    if is_within(module, (*PLAIN_SUBSET, "encoder.intmath", "encoder.probe", "encoder.kernels.butterflies")):
        return
    tree = ast.parse(MODULES[module].read_text())
    untyped = []
    for name, node in public_definitions(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [
                a for a in node.args.posonlyargs + node.args.args + node.args.kwonlyargs if a.arg not in ("self", "cls")
            ]
            if node.returns is None or any(argument.annotation is None for argument in arguments):
                untyped.append(name)
    assert not untyped, f"{module}: {', '.join(untyped)}"


def workbench_commands() -> list[tuple[str, object]]:
    """("corpus list", command) for every command of the workbench, groups included."""
    import click

    from workbench.cli import main

    assert isinstance(main, click.Group)

    def walk(group: click.Group, prefix: str) -> Iterator[tuple[str, object]]:
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            yield prefix + name, command
            if isinstance(command, click.Group):
                yield from walk(command, f"{prefix}{name} ")

    return list(walk(main, ""))


def test_every_command_of_the_workbench_is_in_the_readme_and_has_help() -> None:
    import click

    readme = (ROOT / "README.md").read_text()
    commands = workbench_commands()
    assert {"profile", "corpus", "corpus list", "kernels", "kernels check", "report"} <= {name for name, _ in commands}
    for name, command in commands:
        assert isinstance(command, click.Command)
        group, _, verb = name.partition(" ")
        # Verbs of a group may stand together: workbench corpus list | make | verify
        named = rf"workbench {group}\b" + (rf"[^\n]*\b{verb}\b" if verb else "")
        assert re.search(named, readme), f"README.md does not name: workbench {name}"
        assert command.help and inspect.cleandoc(command.help), f"workbench {name} has no help"
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"workbench {name} {option.opts[0]} has no help"


def test_every_option_of_the_encoder_has_help() -> None:
    from encoder.cli import _parser

    for action in _parser()._actions:
        assert action.help, f"encoder {action.dest} has no help"


def test_no_text_of_the_project_names_a_place_of_one_machine() -> None:
    """Paths of the machine that it was written on."""
    suspicious = re.compile(r"/(work|root)/\w")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("encoder", "workbench", "corpus", "tests", ".ci")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
        and path.suffix in {".py", ".toml", ".md", ".html", ".js", ".css", ""}
        and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if suspicious.search(line) and path != Path(__file__)
    ]
    assert not found
