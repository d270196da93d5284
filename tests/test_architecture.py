"""Imports run one way, heavy libraries stay in their rooms, and no label reaches training."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

PACKAGES = ("casadi_dynamics", "osim_models", "sspinn_opensim")

_WORKER = "opensim_process.worker"
_CASADI = (
    f"errors input_files disk_cache cores opensim_process {_WORKER} model osim symbolic compiled "
    "simbody_defect verify"
).split()
_DYNAMICS = {"casadi_dynamics"} | {f"casadi_dynamics.{room}" for room in (*_CASADI, _WORKER)}
_TRAINING, _ESTIMATION, _EVALUATION = (
    f"sspinn_opensim.{room}" for room in ("training", "estimation", "evaluation")
)
_OPENSIM_IO, _RECORDING = "sspinn_opensim.opensim_io", "sspinn_opensim.recording"
#: Rooms whose own rooms are open to whoever may import from the room; among each other they keep an order.
_HOUSES = (_OPENSIM_IO, _RECORDING, "sspinn_opensim.dynamics", _ESTIMATION)
_OF_NUMBERS = {"sspinn_opensim.dynamics.trial", "sspinn_opensim.dynamics.agreement"}


def _rooms(package: str, table: dict[str, str]) -> dict[str, set[str]]:
    """Return the full names of a table of rooms, each with the rooms of its package that it may import."""
    full = {name: f"{package}.{name}" if name else package for name in table}
    return {full[name]: {f"{package}.{other}" for other in others.split()} for name, others in table.items()}


#: What all rooms of sspinn_opensim may stand on: names of files of a results folder and of parts of a person,
#: TOML files as dataclasses, and four modules.
_GROUND = {
    f"sspinn_opensim.{room}" for room in "results settings anatomy files text lock interruption".split()
}
_OF_OPENSIM_IO = _rooms(
    _OPENSIM_IO,
    {
        "": "",
        "worker": "",
        "documents": "",
        "progress": "",
        "model": "documents worker",
        "tables": "documents model worker",
        "trials": "model progress tables worker",
        "scaling": "documents model tables worker",
        "static_optimization": "documents model progress tables trials worker",
        "tools": "documents model progress static_optimization tables trials worker",
    },
)
_OF_CASADI_DYNAMICS = _rooms(
    "casadi_dynamics",
    {
        "": "errors",
        "errors": "",
        "input_files": "errors",
        "disk_cache": "",
        "cores": "",
        "opensim_process": "errors disk_cache",
        # What runs in the process of OpenSim: others import its jobs, to name them.
        _WORKER: "opensim_process",
        "model": "errors",
        "osim": "errors input_files model",
        "symbolic": "errors model",
        "compiled": "errors disk_cache cores model symbolic",
        "simbody_defect": "model symbolic",
        "verify": "errors model osim symbolic compiled simbody_defect",
        "__main__": f"errors opensim_process {_WORKER} model osim symbolic compiled simbody_defect verify",
    },
)
#: Rooms of sspinn_opensim from the lowest up: each may import those before it that its row names.
_OF_SSPINN_OPENSIM = _rooms(
    "sspinn_opensim",
    {
        "": "",
        "files": "",
        "text": "",
        "lock": "files",
        "interruption": "",
        "results": "",
        "settings": "",
        "anatomy": "",
        # The body as plain data and the script that draws it: no files of results, no signals.
        "viewer": "",
        # From series of numbers to files: what many modules stand on lies at the top of the room.
        "recording.signals": "",
        "recording": "recording.signals",
        "recording.clocks": "recording recording.signals",
        "recording.sensors": "recording recording.signals",
        "recording.movement": "recording recording.signals recording.sensors",
        "recording.checks": "recording recording.signals recording.clocks recording.sensors "
        "recording.movement",
        "recording.formats": "recording recording.signals recording.clocks recording.sensors",
        "recording.reading": "recording recording.signals recording.clocks recording.sensors "
        "recording.checks recording.formats",
        "alignment": "files recording",
        "study": "files recording alignment opensim_io",
        # Numbers without files: OpenSim's filter and splines, and how far two curves are apart.
        "dynamics.trial": "",
        "dynamics.agreement": "",
        "dynamics": "files text opensim_io dynamics.trial dynamics.agreement",
        "muscles": "files opensim_io dynamics",
        # Events, strides and cycles of any motion with ground forces.
        "gait": "files recording",
        "simulation": "files study recording opensim_io dynamics",
        "training": "files study recording opensim_io",
        "estimation.verdict": "files training",
        "estimation.inference": "recording study training",
        "estimation.uncertainty": "files alignment training estimation.inference",
        "estimation.consistency": "gait recording opensim_io dynamics training estimation.inference "
        "estimation.uncertainty",
        "estimation": "files gait study recording alignment opensim_io dynamics training "
        "estimation.inference estimation.uncertainty estimation.consistency",
        "streaming.addresses": "",
        "streaming": "files recording alignment opensim_io muscles training estimation streaming.addresses",
        "exported": "recording training estimation streaming",
        "live_page": "viewer streaming streaming.addresses estimation",
        "placement": "files study recording opensim_io training estimation",
        "evaluation": "files gait study recording opensim_io training dynamics.agreement",
        "report": "files text viewer gait study recording alignment opensim_io evaluation results.gui_steps",
        "results.gui_steps": "opensim_io",
        "results.manifest": "",
        "results.stages": "results.manifest",
        "results.record": "study results.gui_steps results.manifest results.stages",
        "builtin_network": "files study recording training",
        # Its own gaits: nothing that reads what anyone recorded.
        "builtin_network.making": "files recording simulation training builtin_network",
        "verbs": "files text gait study recording alignment opensim_io dynamics muscles simulation "
        "builtin_network training estimation streaming streaming.addresses exported live_page placement "
        "evaluation report "
        "results.gui_steps results.manifest results.record",
        "cli": "text study training streaming.addresses verbs",
        "__main__": "cli",
    },
)

#: Room -> rooms it may import from beside itself. A module is in the room with the longest matching name.
ALLOWED = (
    _OF_CASADI_DYNAMICS
    | {
        "osim_models": _DYNAMICS,
    }
    | {
        room: others | {"sspinn_opensim", *_GROUND, "osim_models"} | _OF_NUMBERS | _DYNAMICS
        for room, others in _OF_OPENSIM_IO.items()
    }
    | {
        room: others | {"sspinn_opensim", *_GROUND, "osim_models"} | _DYNAMICS
        for room, others in _OF_SSPINN_OPENSIM.items()
    }
)

#: Library -> rooms or modules that may import it.
LIBRARIES = {
    "torch": {
        "casadi_dynamics.compiled",
        _TRAINING,
        _ESTIMATION,
        "sspinn_opensim.exported",
        "sspinn_opensim.placement",
        "sspinn_opensim.builtin_network",
    },
    "lxml": {"casadi_dynamics.osim", _OPENSIM_IO, "osim_models"},
    "opensim": {"casadi_dynamics.opensim_process.worker.__main__"},
    "daqp": {"sspinn_opensim.muscles"},
    "pytorch_optimizer": {_TRAINING},
    "matio": {"sspinn_opensim.recording"},
    "pylsl": {"sspinn_opensim.streaming"},
    "onnx": {"casadi_dynamics.compiled", "sspinn_opensim.exported"},
    "onnxruntime": {"sspinn_opensim.exported"},
}

#: Rooms whose code must not know that a reference exists.
WITHOUT_LABELS = (
    _TRAINING,
    _ESTIMATION,
    *(
        f"sspinn_opensim.{room}"
        for room in "streaming exported live_page placement alignment gait builtin_network".split()
    ),
)
#: Verbs of which the same holds; others compare with a reference, or check that one can be read.
VERBS_WITHOUT_LABELS = {
    f"sspinn_opensim.verbs.{verb}"
    for verb in (
        *("axes", "vendor_files", "prepared", "train", "adapt", "estimate"),
        *("stream", "stream_ends", "stream_learning", "stream_parts", "stream_start", "replay", "export"),
    )
}


def room_of(module: str, rooms=ALLOWED) -> str | None:
    """Return the longest room that holds a module; None for a module of another project."""
    parts = module.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in candidates if name in rooms), None)


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and full name of every import, inside functions too; ``from a import b`` is ``a.b``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def violations(module: str, source: str) -> list[str]:
    """Return one sentence for each import of `module` that runs the wrong way."""
    home, found = room_of(module), []
    for line, name in imported(ast.parse(source)):
        target, library = room_of(name), name.split(".")[0]
        if name.startswith("."):
            found.append(f"{module}:{line} imports relatively: {name}")
        elif target is not None and target != home and not _may_import(module, home, target):
            found.append(f"{module}:{line} ({home}) must not import {name} ({target})")
        elif library in LIBRARIES and room_of(module, LIBRARIES[library]) is None:
            found.append(f"{module}:{line} must not import {library}")
    return found


def _may_import(module: str, home: str, target: str) -> bool:
    """Return whether a room may import another; who may use a house from outside may use all its rooms.

    The ``__init__`` of a house offers what its rooms hold.
    """
    if module in _HOUSES and target.startswith(f"{module}."):
        return True
    houses = (house for house in _HOUSES if target.startswith(f"{house}.") and not home.startswith(house))
    return target in ALLOWED[home] or any(house in ALLOWED[home] for house in houses)


def label_uses(module: str, source: str) -> list[str]:
    """Return where code of a room without labels mentions a reference, or a reader that could open one.

    Names count, and texts that could stand for names (``getattr(study, "reference")``).
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if names & {"reference", "ReferenceChoice"} or text == "reference":
            found.append(f"{module}:{node.lineno} mentions a reference")
        if re.fullmatch(r"[\w.]*(evaluation|matlab_tables|verbs)(\.\w+)*", text):
            found.append(f"{module}:{node.lineno} names the module {text}")
    for line, name in imported(ast.parse(source)):
        if "matlab_tables" in name or name.endswith("ReferenceChoice"):
            found.append(f"{module}:{line} imports {name}")
    return found


def reached(start: Iterable[str], sources: Mapping[str, str]) -> set[str]:
    """Return the modules of the packages that some modules import, directly or through others."""
    known, open_ends = set(), list(start)
    while open_ends:
        module = open_ends.pop()
        if module in known:
            continue
        known.add(module)
        for _, name in imported(ast.parse(sources[module])):
            target = room_of(name, sources)
            if target is not None:
                open_ends.append(target)
    return known


def knows_no_labels(module: str) -> bool:
    """Return whether the code of a module must not know that a reference exists."""
    return room_of(module, WITHOUT_LABELS) is not None or module in VERBS_WITHOUT_LABELS


def modules(repository: Path) -> list[tuple[str, str]]:
    """Return name and source of every module of the packages."""
    found = []
    for file in sorted(file for package in PACKAGES for file in (repository / package).rglob("*.py")):
        parts = file.relative_to(repository).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append((name, file.read_text(encoding="utf-8")))
    return found


def circles(sources: Mapping[str, str]) -> list[set[str]]:
    """Return the sets of modules that import each other in a circle, imports inside functions included."""
    graph = {
        module: {
            target
            for _, name in imported(ast.parse(source))
            if (target := room_of(name, sources)) not in (None, module)
            and not module.startswith(f"{target}.")
        }
        for module, source in sources.items()
    }
    components = _strong_components(graph)
    return [component for component in components if len(component) > 1]


def _strong_components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            place = stack.index(node)
            found.append(set(stack[place:]))
            del stack[place:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_no_modules_import_each_other_in_a_circle(repository):
    assert circles(dict(modules(repository))) == []


def test_a_circle_of_modules_is_found():
    sources = {
        "a.b": "from a import c",
        "a.c": "def late():\n    import a.d",
        "a.d": "import a.b",
        "a.e": "import a.b",
    }
    assert circles(sources) == [{"a.b", "a.c", "a.d"}]


def test_few_modules_stand_loose(repository):
    """A module has a room: loose in the package are only the files that everything stands on."""
    loose = {path.name for path in (repository / "sspinn_opensim").glob("*.py")}
    assert loose <= {"__init__.py", "__main__.py", "files.py", "text.py", "lock.py", "interruption.py"}


def test_imports_run_one_way(repository):
    found = modules(repository)
    assert len(found) > 20
    assert not [sentence for module, source in found for sentence in violations(module, source)]


def test_no_label_reaches_training(repository):
    sources = dict(modules(repository))
    assert set(WITHOUT_LABELS) <= {room_of(module) for module in sources}
    assert set(sources) >= VERBS_WITHOUT_LABELS
    rooms = [(module, source) for module, source in sources.items() if knows_no_labels(module)]
    assert not [sentence for module, source in rooms for sentence in label_uses(module, source)]


def test_nothing_that_training_imports_knows_a_reference(repository):
    """Also at second hand: whatever these rooms import neither evaluates nor mentions a reference."""
    sources = dict(modules(repository))
    start = [module for module in sources if knows_no_labels(module)]
    found = reached(start, sources)
    assert len(start) > 10 and len(found) > len(start) + 10
    assert not [module for module in found if room_of(module) == _EVALUATION]
    verbs = {module for module in found if room_of(module) == "sspinn_opensim.verbs"}
    # Beside those that are held to it: a decorator, and the scaling, which has no signals to learn from.
    assert verbs - VERBS_WITHOUT_LABELS == {f"sspinn_opensim.verbs.{name}" for name in ("on_study", "scale")}
    own = {module for module in found if module.startswith("sspinn_opensim.")}
    # The study file defines the key, and the reader of a set that keeps signals and labels in one table is
    # watched row by row in test_no_labels.py.
    spoken = {module for module in own if label_uses(module, sources[module])}
    assert {name for name in spoken if room_of(name) != "sspinn_opensim.study"} <= {
        "sspinn_opensim.recording.formats.dorschky2019"
    }
    mixed = sources["sspinn_opensim.recording.formats.dorschky2019"]
    assert not [sentence for sentence in label_uses("", mixed) if "mentions" in sentence]


def test_nothing_that_runs_beside_opensim_loads_casadi(repository):
    """Its libraries and those that OpenSim brings along do not share a process."""
    sources = dict(modules(repository))
    start = [module for module in sources if "worker" in module.split(".")]
    found = reached(start, sources)
    assert len(start) > 8
    heavy = {"casadi", "torch"}
    loaded = {
        module: {name.split(".")[0] for _, name in imported(ast.parse(sources[module]))} for module in found
    }
    assert not [module for module, libraries in loaded.items() if libraries & heavy]


def test_a_leak_at_second_hand_is_reached():
    helper = "def f():\n    import a.evaluation"
    sources = {"a.training": "from a import helper", "a.helper": helper, "a.evaluation": ""}
    assert reached(["a.training"], sources) == set(sources)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("casadi_dynamics.model.types", "from sspinn_opensim.recording import Recording"),
        ("casadi_dynamics.model.types", "from casadi_dynamics.symbolic import build"),
        ("casadi_dynamics.osim.reader", "import casadi_dynamics.compiled"),
        ("casadi_dynamics.osim.reader", "def read():\n    import torch.nn"),
        ("casadi_dynamics", "from casadi_dynamics import compiled"),
        ("sspinn_opensim.study", "from sspinn_opensim.verbs import run"),
        ("sspinn_opensim.recording.types", "from sspinn_opensim.study import Study"),
        ("sspinn_opensim.recording.types", "def late():\n    from sspinn_opensim.opensim_io import jobs"),
        ("sspinn_opensim.training.losses", "from sspinn_opensim.evaluation.reference import read"),
        ("sspinn_opensim.report.report", "from lxml import etree"),
        ("casadi_dynamics.opensim_process.jobs", "import opensim"),
        ("casadi_dynamics.opensim_process.worker.models", "import opensim"),
        ("casadi_dynamics.opensim_process.jobs", "from casadi_dynamics.opensim_process.worker import models"),
        ("sspinn_opensim.opensim_io.tables.storage", "from sspinn_opensim.opensim_io.scaling import report"),
        ("sspinn_opensim.verbs.run", "from .cli import main"),
    ],
)
def test_a_wrong_import_is_caught(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("casadi_dynamics.opensim_process.worker.__main__", "import opensim"),
        ("sspinn_opensim.training.losses", "from sspinn_opensim.recording import Recording\nimport torch"),
        ("sspinn_opensim.cli.command", "def run():\n    from sspinn_opensim.verbs import run"),
        ("casadi_dynamics.verify", "from casadi_dynamics.compiled import compile"),
    ],
)
def test_a_right_import_is_not_caught(module, source):
    assert violations(module, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "def train(study):\n    return study.reference",
        "def train(recording, reference):\n    pass",
        "from sspinn_opensim.recording.formats.matlab_tables import read_rows",
        "from sspinn_opensim.study import ReferenceChoice",
        "def train(study):\n    return getattr(study, 'reference').file",
        "import importlib\nimportlib.import_module('sspinn_opensim.evaluation.reference')",
        "__import__('sspinn_opensim.verbs.run')",
    ],
)
def test_a_label_is_caught(source):
    assert label_uses("sspinn_opensim.training.trainer", source)


def test_the_command_line_starts_without_heavy_libraries(repository):
    code = (
        "import sys, sspinn_opensim.cli.command as cli; cli.build_parser(); "
        "heavy = {'torch', 'casadi', 'opensim', 'scipy', 'pandas', 'matplotlib'}; "
        "print(*(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == ""


def test_scoring_needs_no_network(repository):
    """What reads written estimates neither trains nor applies a network."""
    code = (
        "import sys, sspinn_opensim.verbs.evaluate; "
        "print(*({'torch', 'opensim', 'sspinn_opensim.training.checkpoint'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == ""
