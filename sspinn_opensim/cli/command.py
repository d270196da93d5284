"""The command ``sspinn``: parse, call a verb, print what it returns.

Exit status: 0 done, 1 a verb that looks for faults found some, 2 wrong input or a file that cannot be
written, 3 with ``--strict`` a training that did not come out as those of good recordings do, 128 and the
number of the signal that interrupted it (130 Ctrl-C, 143 ``kill``, 141 a reader of its output that is gone).
A verb's module is imported when it runs, so that ``--help`` and ``doctor`` answer even where a library is
broken.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import inspect
import io
import os
import select
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError, nearest
from sspinn_opensim import __version__
from sspinn_opensim.cli.console import Screen
from sspinn_opensim.cli.options import OF_STUDY
from sspinn_opensim.cli.verbs import VERBS, Verb
from sspinn_opensim.interruption import Interrupted, as_exceptions
from sspinn_opensim.streaming.addresses import address_of, bound_for_page, bound_for_samples
from sspinn_opensim.study import Study, override, read_study
from sspinn_opensim.study.cohort import CohortStudy, is_cohort, read_cohort
from sspinn_opensim.text import printable

_DESCRIPTION = "Joint angles, moments, ground forces and muscle forces from IMUs, for OpenSim models."
_EPILOG = (
    "Start with: sspinn demo; with files of your own: sspinn check FILE_OR_FOLDER. A study file names model, "
    "person, recording and sensors; see docs/study.md. 'run' does scale, convert, train, estimate, muscles "
    "and evaluate, which can also be done one by one."
)
#: The descriptor of the standard output.
_OUTPUT = 1
#: What follows a stage of a study that was done by itself.
_NEXT = {
    "scale": "train",
    "train": "estimate",
    "adapt": "estimate",
    "estimate": "muscles",
    "muscles": "evaluate",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line after the name of the program; default: that of the process.
    """
    if arguments is None:
        _in_utf8()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the locale cannot show is escaped, not an error
            stream.reconfigure(errors="backslashreplace")
    parser, screen = build_parser(), Screen()
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and not arguments[0].startswith("-"):
        _refuse_unknown_verb(arguments[0], parser)
    options, unknown = parser.parse_known_args(arguments)
    if "verb" not in options:
        parser.print_help(sys.stderr)
        parser.exit(2)
    if unknown:
        _refuse_unknown_words(unknown, options.verb, options.parser)
    try:
        with as_exceptions(), screen.attached():
            result = call(options.verb, options, screen)
            screen.show(result)
            screen.show(_next(options) if getattr(result, "trusted", True) else None)
            return getattr(result, "exit_status", 0 if getattr(result, "ok", True) else 1)
    except InputError as error:
        return _fail(str(error))
    except OSError as error:
        gone = isinstance(error, BrokenPipeError) and _nobody_reads()
        return 128 + signal.SIGPIPE if gone else _fail(_explain(error))
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        text = f"Interrupted ({signal.Signals(number).name}). What is written is complete; "
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"{text}the same command goes on from there.", file=sys.stderr)
        return 128 + number


def _nobody_reads() -> bool:
    """Say whether the reader of the output has gone, such as ``head`` that has its lines."""
    waiting = select.poll()
    waiting.register(_OUTPUT, 0)
    return any(event & select.POLLERR for _, event in waiting.poll(0))


def _in_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale cannot name every file: OpenSim needs the names."""
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        command = [sys.executable, "-X", "utf8", "-m", "sspinn_opensim", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONUTF8": "1"})


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="sspinn", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"sspinn {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for verb in VERBS:
        description = f"{verb.purpose[0].upper()}{verb.purpose[1:]}."
        own = verbs.add_parser(verb.name, help=verb.purpose, description=description)
        for option in verb.options:
            own.add_argument(option.typed, **option.settings)
        own.set_defaults(verb=verb, parser=own)
    return parser


def _refuse_unknown_verb(word: str, parser: argparse.ArgumentParser) -> None:
    names = [verb.name for verb in VERBS]
    if word not in names:
        parser.error(
            f"there is no verb '{printable(word)}': {nearest(word, names) or 'sspinn --help lists all'}"
        )


def _refuse_unknown_words(words: Sequence[str], verb: Verb, parser: argparse.ArgumentParser) -> None:
    """Refuse what a verb does not take, under the usage of that verb."""
    options = [option.typed.lstrip("-") for option in verb.options if option.typed.startswith("-")]
    near = nearest(words[0].partition("=")[0].lstrip("-"), options) if words[0].startswith("-") else ""
    parser.error(f"'{verb.name}' does not take {printable(' '.join(words))}" + (f": {near}" if near else ""))


def call(verb: Verb, options: argparse.Namespace, screen: Screen) -> object:
    """Call the function of a verb with what was typed; return what it returns."""
    if "out" in options and options.out is not None:
        options.out = options.out.absolute()
    if verb.takes is not None:
        given = verb.takes(options)
    else:
        given = {option.name: getattr(options, option.name) for option in verb.options}
    if isinstance(given.get("study"), Path):
        given["study"] = _study(given["study"], {name: given.pop(name) for name in [*given] if "." in name})
    seen = {}
    if "study" in given:
        given["study"], seen = _looked_at(verb.name, given)
    function = getattr(importlib.import_module(f"sspinn_opensim.verbs.{verb.function}"), verb.function)
    more = {"progress": screen.progress, "inputs": seen}
    taken = inspect.signature(function).parameters
    return function(**given, **{name: value for name, value in more.items() if name in taken})


def _next(options: argparse.Namespace) -> str | None:
    """Return how the stage after one of a study is typed, with the same changes of the study."""
    study = getattr(options, "study", None) or getattr(options, "files", [Path()])[0]
    following = _NEXT.get(options.verb.name)
    if following is None or study.suffix.lower() != ".toml":
        return None
    if following == "muscles" and is_cohort(study):
        following = "evaluate"
    changes = []
    for name, value in vars(options).items():
        if name.startswith(OF_STUDY) and value is not None:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            changes += [f"--{name.removeprefix(OF_STUDY)}", text]
    said = shlex.join(["sspinn", following, str(study), "--out", str(options.out), *changes])
    return f"next: {said}" + (", which writes the report" if following == "evaluate" else "")


def _study(path: Path, changes: dict[str, Any]) -> object:
    """Return the study or the cohort of a file with what the command line changes; a model stays a path."""
    if not changes:
        return path
    own = {name.removeprefix(OF_STUDY): value for name, value in changes.items()}
    study: Any = (read_cohort if is_cohort(path) else read_study)(path, sensors=own.pop("sensors"))
    return override(study, **own)


def _looked_at(verb: str, given: dict[str, Any]) -> tuple[object, dict[str, Any]]:
    """Return the study of a verb, read, and what `first_look` saw of it; what is no study stays.

    What can be seen at once is refused.
    """
    from sspinn_opensim.verbs.inputs import LOOKING, first_look  # brings more along than --help needs
    from sspinn_opensim.verbs.on_study import as_study

    seen = {}
    study = as_study(
        given["study"],
        scaling=verb == "scale",
        unrecorded=verb == "stream",
        models=verb == "convert",
    )
    if verb in LOOKING and isinstance(study, Study | CohortStudy):
        network = given.get("network")
        begins = verb in ("estimate", "stream") and network is not None
        if verb == "stream" and isinstance(study, Study):
            begins = begins or not study.recording.there
        source = {"adapt": given.get("source"), "locate-sensors": network}.get(verb)
        shipped = verb != "locate-sensors" and "builtin" in (str(source), str(network))
        source = None if source is None or shipped else source
        restart = given.get("restart", False)
        seen = first_look(
            verb,
            study,
            given["out"],
            begins=begins,
            restart=restart,
            source=source,
            shipped=shipped,
            terms=given.get("terms"),
        )
    if verb == "stream":
        samples, page = given["source"], given["page"]
        if samples.kind == "udp":
            bound_for_samples(*address_of(samples.listen)).close()
        if page is not None:
            bound_for_page(page.host, page.port).close()
    return study, seen


def _explain(error: OSError) -> str:
    """Return what to do about a file that cannot be read or written."""
    advice = {
        errno.ENOSPC: "free some space, or write to another disk with --out",
        errno.EDQUOT: "your quota is used up: free some space, or write to another disk with --out",
        errno.EACCES: "choose a folder you may write to with --out",
        errno.EPERM: "choose a folder you may write to with --out",
        errno.EROFS: "this file system is read-only: choose another folder with --out",
        errno.EEXIST: "a file is in the way: remove it, or choose another folder with --out",
        errno.ENOTDIR: "a part of this path is a file: choose another folder with --out",
    }
    where = error.filename2 or error.filename
    fix = advice.get(error.errno or 0, "check that the file exists, and the disk it is on")
    if where and os.access(where, os.F_OK) and not os.access(where, os.R_OK):
        fix = "you may not read it: change its rights (chmod u+rX), or move it away"
    what = f"A file cannot be read or written: {error.strerror or error}."
    return str(InputError(what, where=str(where) if where else "", fix=fix))


def _fail(message: str) -> int:
    print(f"sspinn: {printable(message)}", file=sys.stderr)
    return 2
