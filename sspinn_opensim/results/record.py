"""A record of what each verb did, in the manifest of its results folder: one way for all verbs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_input
from sspinn_opensim.files import walk, write_atomically, write_json
from sspinn_opensim.lock import owned
from sspinn_opensim.results import stages
from sspinn_opensim.results.folder import ResultsFolder, file_of
from sspinn_opensim.results.gui_steps import readme
from sspinn_opensim.results.manifest import entry_of, read_manifest, same, stamps, versions
from sspinn_opensim.study import ScalingStudy, Study
from sspinn_opensim.study.cohort import CohortStudy

_FORMAT = 1
#: Only these verbs open the reference, so only they may read it, even for a hash.
_WITH_REFERENCE = ("evaluate",)


@contextlib.contextmanager
def recorded(
    folder: Path, verb: str, *, title: str = "", **given: object
) -> Iterator[Callable[[Sequence[str]], None]]:
    """Record what a verb does to a results folder; when the block ends, write README.txt and the manifest.

    Only files that the block wrote get a new hash: what was changed by hand before stays known as changed.
    After an error, files already written are recorded too. Meanwhile the folder is `owned`. What earlier
    verbs wrote must belong to what is given now (`stages.check`).

    Parameters
    ----------
    folder : Path
        Made by the block if it is not there.
    verb : str
        Verb of ``sspinn``.
    title : str
        First line of README.txt; by default what the study is about, else the line that is there.
    **given : object
        What the verb works with. Every file in it, also in a field of a dataclass, is an input and gets a
        hash; studies, numbers, texts and dataclasses of them are settings; anything else is passed over.

    Yields
    ------
    callable
        Takes notes of the verb, which are recorded too.

    Raises
    ------
    InputError
        An input is too large; another command has the folder, a file of it is a link that leads out of it,
        or what it holds was made from something else.
    """
    folder, notes = Path(folder), []
    for role, file in _inputs(given, verb):
        check_input(file, f"the file for '{role}'")
    with owned(folder, f"sspinn {verb}"):
        _refuse_links(folder)
        refuse_stale(folder, verb, **given)
        before = stamps(folder)
        try:
            yield notes.extend
        except BaseException:
            if stamps(folder) != before:
                with contextlib.suppress(InputError, OSError):
                    _record(folder, verb, title, before, given, None)
            raise
        _record(folder, verb, title, before, given, notes)


def refuse_stale(folder: Path, verb: str, **given: object) -> None:
    """Refuse what earlier verbs wrote where it does not belong to what is given now; see `recorded`."""
    stages.check(folder, verb, _known(folder), _study_of(given), dict(_inputs(given, verb)))


def refuse_other_study(folder: Path, *, restart: bool = False, **given: object) -> None:
    """Refuse to begin in a folder of another study, cohort or model; see `stages.check_same_study`.

    Parameters
    ----------
    restart : bool
        Whether it may have other settings.
    **given : object
        What is begun, named as for `recorded`.
    """
    own = stages.whose({**dict(_studies(given)), "settings": {"scale": dict(_settings(given))}})
    inputs = dict(_inputs(given, "run"))
    stages.check_same_study(folder, _known(folder), own, _study_of(given), inputs, restart)


def require_seed(source: Path, seed: int) -> None:
    """Refuse results to adapt from that have no network of a seed."""
    if ResultsFolder(source).checkpoint(seed).is_file():
        return
    found = sorted(path.parent.name for path in ResultsFolder(source).training.glob("seed_*/checkpoint.pt"))
    raise InputError(
        f"The folder has no network of seed {seed}.",
        where=source,
        expected=str(ResultsFolder(Path()).checkpoint(seed)),
        found=", ".join(found) or "no network",
        fix="choose the seeds it has with --seeds" if found else "give the --out of a training of a cohort",
    )


def refuse_own_network(source: Path, out: Path) -> None:
    """Refuse to adapt the networks of results in the same folder."""
    # Not `Path.resolve`, which fails on a link to itself.
    if os.path.realpath(source) == os.path.realpath(out):
        raise InputError(
            "The network would be overwritten with what is made from it.",
            where=out,
            fix="name another folder with --out",
        )


def _study_of(given: Mapping) -> dict | None:
    return next((_plain(value) for value in given.values() if isinstance(value, Study | ScalingStudy)), None)


def _known(folder: Path) -> dict:
    """Return the manifest; of a damaged one, in which every file counts as of unknown origin, nothing."""
    try:
        return read_manifest(folder)
    except InputError:
        return {}


def _refuse_links(folder: Path) -> None:
    """Refuse a link in place of a file or folder of the table: it would be written, or emptied, elsewhere."""
    for place, folders, names in walk(folder):
        for path in (Path(place, name) for name in (*folders, *names)):
            if path.is_symlink():
                name = path.relative_to(folder).as_posix()
                # Not `Path.resolve`, which fails on a link to itself.
                inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
                if not inside and (file_of(name) or file_of(f"{name}/")):
                    raise InputError(
                        "A file of the results folder is a link that leads out of it.",
                        where=path,
                        found=str(path.readlink()),
                        fix="remove the link",
                    )


def records(verb: str, title: str = "") -> Callable:
    """Record every call of a function; its argument `out`, or else `folder`, is the results folder.

    Parameters
    ----------
    verb : str
        Verb of ``sspinn``.
    title : str
        As for `recorded`, with arguments in braces: ``"Comparison of {a.name} and {b.name}"``.
    """

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def recording(*arguments, **named):
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            given = {key: _as_path(value) for key, value in bound.arguments.items()}
            folder = Path(str(given.pop("out" if "out" in given else "folder")))
            line = title.format_map(given)
            given.pop("title", None)
            with recorded(folder, verb, title=line, **given):
                return function(*arguments, **named)

        return recording

    return decorate


def _as_path(value: object) -> object:
    """Return a text that names a file or folder as its path; anything else as it is."""
    return Path(value) if isinstance(value, str) and Path(value).exists() else value


def _record(
    folder: Path, verb: str, title: str, before: Mapping, given: Mapping, notes: Sequence[str] | None
) -> None:
    manifest = _known(folder)
    said = manifest.get("notes", {})
    if notes is not None:  # after an error those of before stay, as most files do
        said = {key: own for key, own in said.items() if key != verb} | ({verb: list(notes)} if notes else {})
    manifest["title"] = title or _title(given) or manifest.get("title", folder.name)
    file, text = ResultsFolder(folder).readme, readme(manifest["title"], folder).encode()
    same_size = file.is_file() and file.stat().st_size == len(text)
    if not same_size or file.read_bytes() != text:
        write_atomically(file, text)
    settings = manifest.get("settings", {}) | {verb: dict(_settings(given))}
    named = dict(_inputs(given, verb))
    inputs = {role: {"path": _relative(path, folder)} | entry_of(path) for role, path in named.items()}
    manifest |= {
        "format": _FORMAT,
        "versions": versions(),
        **dict(_studies(given)),
        "settings": settings,
        "inputs": dict(sorted((manifest.get("inputs", {}) | inputs).items())),
        "files": _files(folder, verb, before, manifest.get("files", {})),
        "notes": said,
    }
    if verb in stages.STAGES:
        study = _study_of(given)
        made_from = stages.made_from(verb, study, named, manifest["files"])
        manifest["stages"] = manifest.get("stages", {}) | {verb: made_from}
    write_json(ResultsFolder(folder).manifest, manifest)


def _files(folder: Path, verb: str, before: Mapping, known: Mapping) -> dict[str, dict]:
    """Return the entries of the files now: those the verb wrote are hashed, the others stay as known."""
    files, now = {}, stamps(folder)
    for name, stamp in now.items():
        if before.get(name) != stamp:
            row = file_of(name)
            if row and not row.written_by(verb):  # of another verb that is at work, or a hand's
                continue
            with contextlib.suppress(FileNotFoundError):  # gone again
                entry = entry_of(folder / name)
                files[name] = known[name] if same(entry, known.get(name)) else entry | {"verb": verb}
    # What lay there unrecorded before is not this project's; what was deleted by hand stays known as missing.
    kept = {name: entry for name, entry in known.items() if name in now or name not in before}
    return dict(sorted((kept | files).items()))


def _title(given: Mapping) -> str:
    for value in given.values():
        if isinstance(value, Study):
            return f"{value.name}: motion and forces of {value.person.name}, estimated from inertial sensors"
        if isinstance(value, CohortStudy):
            return f"{value.name}: one network for {len(value.people)} people"
    return ""


def _studies(given: Mapping) -> Iterator[tuple[str, object]]:
    for value in given.values():
        if isinstance(value, Study):
            yield "study", _plain(value)
        elif isinstance(value, CohortStudy):
            names = {key: [study.name for study in getattr(value, key)] for key in ("members", "unseen")}
            yield "cohort", {"name": value.name, **names, "training": _plain(value.training)}


def _settings(given: Mapping) -> Iterator[tuple[str, object]]:
    """Give the arguments that JSON can hold and that are no studies."""
    for name, value in given.items():
        if not isinstance(value, Study | CohortStudy):
            with contextlib.suppress(TypeError):
                yield name, _plain(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it, a file by its name; anything else is a `TypeError`."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return value.name
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(type(value).__name__)


def _inputs(given: Mapping, verb: str) -> Iterator[tuple[str, Path]]:
    """Give every file that an argument names and the verb may read, with the key that names it."""
    for name, value in given.items():
        if isinstance(value, CohortStudy):
            leaves = [("cohort", value.path), *((f"people.{s.name}", s.path) for s in value.people)]
        else:
            leaves = _leaves(value, "" if dataclasses.is_dataclass(value) else name)
        for key, leaf in leaves:
            hidden = key.startswith("reference.") and verb not in _WITH_REFERENCE
            if not isinstance(leaf, Path) or hidden:
                continue
            if leaf.is_file():
                yield ("study" if key == "path" else key), leaf
            elif leaf.is_dir() and key.endswith("recording.file"):
                files = (file for file in sorted(leaf.rglob("*")) if file.is_file())
                yield from ((f"{key}.{file.relative_to(leaf).as_posix()}", file) for file in files)


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Give what a value holds in its fields and items, with their dotted keys."""
    if dataclasses.is_dataclass(value):
        items = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    else:
        yield key, value
        return
    for name, item in items:
        yield from _leaves(item, f"{key}.{name}" if key else str(name))


def _relative(path: Path, folder: Path) -> str:
    """Return the way from the folder to an input, so that both can move together.

    Where it leads through somebody's home, and so names a person, only the name of the file is told.
    """
    try:
        way = Path(os.path.relpath(path, folder))
    except ValueError:  # another drive on Windows
        return Path(path).name
    private = {"home", "users", Path.home().name.lower()} & {part.lower() for part in way.parts[:-1]}
    return path.name if private else way.as_posix()
