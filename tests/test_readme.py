"""What README and docs say is held against the code: tables, commands, snippets, links."""

import dataclasses
import re
from itertools import groupby

import numpy as np
import pytest

from casadi_dynamics import __main__ as dynamics
from casadi_dynamics.osim import support
from sspinn_opensim import cli
from sspinn_opensim.alignment import neighbours
from sspinn_opensim.recording import read_recording
from sspinn_opensim.recording.checks import faults, wear
from sspinn_opensim.recording.choices import RecordingChoice
from sspinn_opensim.recording.findings import KINDS
from sspinn_opensim.recording.formats import npz_archive
from sspinn_opensim.recording.sensors import places
from sspinn_opensim.results.folder import FILES
from sspinn_opensim.study import TrainingChoice, person, read_study
from sspinn_opensim.training import losses, motion, settings, signals, subject
from sspinn_opensim.training.loss_terms import TERMS


@pytest.fixture(scope="module")
def text(repository):
    """Return the text of every document by name."""
    files = (repository / "README.md", *sorted(repository.glob("docs/*.md")))
    return {path.relative_to(repository).as_posix(): path.read_text(encoding="utf-8") for path in files}


def table(document: str, header: str) -> list[str]:
    """Return the rows of the table under a header line."""
    _, found, rest = document.partition(header + "\n")
    assert found, f"no table {header}"
    lines = rest.splitlines()[1:]
    return lines[: next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))]


def block(document: str, language: str) -> str:
    """Return the first code block of a language."""
    return re.search(rf"```{language}\n(.*?)```", document, re.DOTALL)[1]


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def quoted(names) -> str:
    return ", ".join(f"`{name}`" for name in names)


def capabilities() -> list[str]:
    """Return the rows that describe the tables of `casadi_dynamics.osim.support`."""
    supported = {
        "joints": support.SUPPORTED_JOINTS,
        "frames": support.SUPPORTED_FRAMES,
        "functions": support.SUPPORTED_FUNCTIONS,
        "constraints": support.SUPPORTED_CONSTRAINTS,
        "muscles": support.SUPPORTED_MUSCLES,
        "surfaces that paths wrap around": support.SUPPORTED_WRAP_OBJECTS,
        "contact geometry": support.SUPPORTED_CONTACT_GEOMETRY,
        "forces": support.SUPPORTED_FORCES,
    }
    rows = [row("supported", quoted(sorted(names)), kind) for kind, names in supported.items()]
    for status, advice in (("ignored", support.IGNORED), ("refused", support.REFUSED)):
        for reason, group in groupby(advice.items(), key=lambda item: item[1]):
            names = [name for name, _ in group]
            rows.append(row(status, quoted(names) if all(names) else "any other class", reason))
    return rows


def loss_terms() -> list[str]:
    """Return the rows of the loss terms: a quantity is said by its function, all else by the table."""
    rows = []
    for name, term in TERMS.items():
        quantity = losses.FUNCTIONS[name].__doc__.strip().splitlines()[0].removesuffix(".")
        scale = "; ".join(f"{value:g} {unit}" for value, unit in zip(term.scale, term.unit, strict=True))
        when = "with forces" if term.needs_force else "until then" if term.leads_force else ""
        rows.append(row(f"`{name}`", quantity, scale, f"{term.weight:g}", when))
    return rows


def numbers() -> list[str]:
    """Return the rows of the numbers that docs/method.md states beside the loss terms."""
    chosen, decoder = settings.TrainingSettings(), motion.Decoder
    stated = {
        "optimizer steps": chosen.steps,
        "windows per step": chosen.batch,
        "of a cohort": settings.BATCH_OF_COHORT,
        "length of a window, s": chosen.window_s,
        "its start that is not scored, s": chosen.unscored_s,
        "peak learning rate": chosen.learning_rate,
        "largest gradient norm": chosen.clip,
        "force terms begin after this share of the steps": chosen.force_from,
        "force terms count in full after this share": chosen.force_full,
        "people who share a step, at most": chosen.members,
        "steps of an adaptation": chosen.adaptation_steps,
        "its peak learning rate": settings.ADAPTATION_LEARNING_RATE,
        "an output of one as angle of a segment, rad": decoder.ANGLE_RAD,
        "as height of the root, m": decoder.HEIGHT_M,
        "as velocity of the root, m/s": decoder.VELOCITY_M_S,
        "as yaw rate of the walking frame, rad/s": decoder.YAW_RATE_RAD_S,
        "as force at a point, body weights": decoder.FORCE_BW,
        "as joint moment, body weight times height": decoder.TORQUE_BWBH,
        "input noise: share of the stride-to-stride deviation": signals.NOISE_SHARE,
        "input noise: gyroscope bias, rad/s": signals.GYRO_BIAS,
        "deviation of acceleration where none is stated, m/s²": signals.UNKNOWN_DEVIATION[0],
        "deviation of angular rate where none is stated, rad/s": signals.UNKNOWN_DEVIATION[1],
        "lean of the trunk, rad (rotation about z, backward positive)": subject.TRUNK_LEAN_RAD,
        "margin inside the range of a joint, rad": losses.LIMIT_MARGIN_RAD,
        "coefficient of friction": losses.FRICTION,
    }
    return [row(name, f"{value:g}") for name, value in stated.items()]


def files() -> list[str]:
    """Return the rows of the files of a results folder."""
    return [
        row(f"`{file.label}`", file.says, "every verb" if file.verbs == "*" else quoted(file.verbs.split()))
        for file in FILES
    ]


def findings() -> list[str]:
    """Return the rows of the kinds of findings."""
    return [row(f"`{kind}`", meaning) for kind, meaning in KINDS.items()]


def bounds() -> list[str]:
    """Return the rows of the bounds from which a recording is doubted, and refused."""
    grown, child = person._GROWN, person._CHILD
    stated = {
        "lag of a sensor to its neighbours across a joint, ms": (
            1000 * neighbours._DOUBTED_S,
            1000 * neighbours._REFUSED_S,
        ),
        "change of gravity's direction in a sensor during the gait, degrees": (
            wear._SLIP_DOUBTED_DEG,
            wear._SLIP_REFUSED_DEG,
        ),
        "`speed_m_s` over the speed of the feet, or the reverse": (
            1 + faults._SPEED_DOUBTED,
            1 + faults._SPEED_REFUSED,
        ),
        "body mass index too low, kg/m²": (grown.doubted[0], grown.refused[0]),
        "body mass index too high": (grown.doubted[1], grown.refused[1]),
        f"too low under {person._GROWN_M:g} m of height": (child.doubted[0], child.refused[0]),
        f"too high under {person._GROWN_M:g} m of height": (child.doubted[1], child.refused[1]),
    }
    for segment, girth in places._GIRTHS.items():
        stated[f"place off the bones of the {segment}, cm"] = 100 * girth.doubted_m, 100 * girth.refused_m
    inward = 100 * places._INWARD.doubted_m, 100 * places._INWARD.refused_m
    stated["place on a leg towards the other leg, cm"] = inward
    return [row(name, f"{doubted:g}", f"{refused:g}") for name, (doubted, refused) in stated.items()]


@pytest.mark.parametrize(
    ("document", "header", "expected"),
    [
        ("docs/study.md", "| kind | meaning |", findings),
        ("docs/study.md", "| looked at | doubt from | serious from |", bounds),
        ("docs/models.md", "| | OpenSim class | why, or what to do |", capabilities),
        ("docs/results_folder.md", "| file | what it holds | written by |", files),
        ("docs/method.md", "| term | quantity | scale | weight | counts |", loss_terms),
        ("docs/method.md", "| number | value |", numbers),
    ],
)
def test_a_table_says_what_the_code_says(text, document, header, expected):
    found, wanted = table(text[document], header), expected()
    assert found == wanted, "it should be:\n" + "\n".join(wanted)


def test_the_study_and_the_columns_of_the_first_study_work_together(text, tmp_path):
    """The study is read, and so is a recording whose columns follow the pattern that is shown."""
    (tmp_path / "study.toml").write_text(block(text["docs/first_study.md"], "toml"), encoding="utf-8")
    (tmp_path / "walk.csv").touch()
    study = read_study(tmp_path / "study.toml")
    channels = ("acc_x", "acc_y", "gyro_z")
    columns = ["time", *(f"{sensor.name}_{channel}" for sensor in study.sensors for channel in channels)]
    shown = block(text["docs/first_study.md"], "csv").strip().split(",")
    assert shown == columns[: len(shown)] and len(shown) > 4
    time_s = np.arange(0.0, study.output.to_s + 1.0, 0.01)
    values = np.tile([0.0, 9.81, 0.0], (len(time_s), len(study.sensors)))
    values += 0.1 * np.sin(5.0 * time_s)[:, None]
    rows = "\n".join(",".join(map(repr, line)) for line in np.column_stack([time_s, values]).tolist())
    (tmp_path / "walk.csv").write_text(",".join(columns) + "\n" + rows + "\n", encoding="utf-8")
    recording = read_recording(study)
    assert recording.acceleration_available[:, :2].all() and not recording.acceleration_available[:, 2].any()
    assert recording.angular_rate_available[:, 2].all() and recording.speed_m_s == study.recording.speed_m_s


def test_the_python_of_the_conversion_runs(text, capsys):
    exec(compile(block(text["docs/python.md"], "python"), "docs/python.md", "exec"), {})
    assert "knee_angle_r" in capsys.readouterr().out


def test_the_python_of_the_compiled_functions_runs(text):
    names = {}
    exec(compile(block(text["docs/compiled.md"], "python"), "docs/compiled.md", "exec"), names)
    assert names["q"].grad.abs().max() > 0


def parsers() -> dict:
    """Return the parser of every verb."""
    return cli.build_parser()._subparsers._group_actions[0].choices


def test_the_readme_names_every_verb_and_no_other(text):
    commands = table(text["README.md"], "| command | what it does |")
    assert {re.match(r"\| `sspinn (\w[\w-]*)`", line)[1] for line in commands} == set(parsers())
    for name, document in text.items():
        assert set(re.findall(r"(?:`|&& |^)sspinn (\w[\w-]*)", document, re.MULTILINE)) <= set(parsers()), (
            name
        )


def test_every_option_in_the_documents_exists(text):
    choices = {**parsers(), "verify": dynamics.build_parser()._subparsers._group_actions[0].choices["verify"]}
    actions = [action for parser in choices.values() for action in parser._actions]
    known = {option for action in actions for option in action.option_strings} | {"--version"}
    for name, document in text.items():
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", document)) <= known, name


def anchors(document: str) -> set[str]:
    """Return what a link inside the document may name."""
    headings = re.findall(r"^#+ (.*)", document, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere(text, repository):
    others = ("CHANGELOG.md", "benchmarks/README.md")
    linking = text | {name: (repository / name).read_text(encoding="utf-8") for name in others}
    for name, document in linking.items():
        for target in re.findall(r"\]\(([^)]+)\)", document):
            path, _, anchor = target.partition("#")
            if "://" not in target:
                file = (repository / name).parent / path if path else repository / name
                assert file.exists(), (name, target)
                assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), (name, target)


def test_every_page_that_code_names_is_there(text, repository):
    for package in ("casadi_dynamics", "osim_models", "sspinn_opensim", "benchmarks"):
        for file in (repository / package).rglob("*.py"):
            for page in re.findall(r"docs/\w+\.md", file.read_text(encoding="utf-8")):
                assert page in text, (file, page)


def test_the_index_names_every_page_once(text):
    named = re.findall(r"^\| \[\w+\.md\]\((\w+\.md)\)", text["docs/README.md"], re.MULTILINE)
    assert sorted(named) == sorted(
        name.removeprefix("docs/") for name in text if name.startswith("docs/") and name != "docs/README.md"
    )


def test_the_readme_is_read_in_five_minutes(text):
    assert len(text["README.md"].splitlines()) <= 220 and len(text["README.md"].encode()) <= 16_000


def test_the_stated_priors_are_those_of_the_losses(text):
    priors = text["docs/limits.md"].partition("- **Priors**")[2].partition("- **")[0]
    assert f"{-subject.TRUNK_LEAN_RAD:g} rad" in priors and f"at most {losses.FRICTION:g}" in priors


def test_every_setting_of_the_training_is_described():
    """`numbers` lists them by hand: a new one must be added there."""
    described = [
        "steps",
        "batch",
        "window_s",
        "unscored_s",
        "learning_rate",
        "clip",
        "force_from",
        "force_full",
        "members",
    ]
    described += [key.name for key in dataclasses.fields(TrainingChoice) if key.name not in described]
    assert {field.name for field in dataclasses.fields(settings.TrainingSettings)} == {*described, "seed"}


def changes(document: str):
    """Yield the changes of the diffs in a document: file, removed lines, added lines."""
    for diff in re.findall(r"```diff\n(.*?)```", document, re.DOTALL):
        for name, rest in re.findall(r"^\+\+\+ (\S+)\n(.*?)(?=^\+\+\+ |\Z)", diff, re.DOTALL | re.MULTILINE):
            for hunk in rest.split("@@\n"):
                lines = hunk.splitlines()
                yield name, *("\n".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")


def squeezed(code: str) -> str:
    """Return code without its layout."""
    return re.sub(r",?(\s+|\Z)", "", code)


def test_the_examples_of_what_to_add_are_in_the_code(text, repository):
    """What a diff takes away is there, and what it adds and takes from nothing is there."""
    found = [change for change in changes(text["docs/contributing.md"]) if (repository / change[0]).exists()]
    assert len(found) > 8
    for name, removed, added in found:
        file = squeezed((repository / name).read_text(encoding="utf-8"))
        if removed or name != "docs/study.md":  # there a new format brings a new table
            assert squeezed(removed or added) in file, (name, removed or added)


def test_the_reader_of_the_documents_reads(text, tmp_path):
    """A format as docs/contributing.md shows it: an archive comes back as it was written."""
    assert f"formats/{npz_archive.__name__.rpartition('.')[2]}.py" in text["docs/contributing.md"]
    signal = np.random.default_rng(0).normal(size=(20, 3))
    np.savez(tmp_path / "walk.npz", t=np.arange(20) / 100, foot_acc=signal, foot_gyro=2 * signal)
    choice = RecordingChoice("npz", tmp_path / "walk.npz", "walk", options=npz_archive.NpzOptions("t"))
    (stream,) = npz_archive.FORMAT.streams(choice)
    assert stream.name == "foot"
    np.testing.assert_array_equal(stream.acceleration, signal)
    np.testing.assert_array_equal(stream.angular_rate, 2 * signal)
