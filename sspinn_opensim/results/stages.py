"""Stages of a study: what each was made from stands in the manifest, and is held against what is there now.

A stage states the settings of the study that it depends on, the hashes of the files that these name, and the
hashes of the files in the folder that earlier stages wrote. Before a later stage begins, all of it must still
be so: else results of two studies, or of two trainings, would lie beside each other in silence.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import check_input
from sspinn_opensim.files import sha256
from sspinn_opensim.results.folder import FILES, file_of
from sspinn_opensim.results.manifest import stamps


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    settings : tuple of str
        Keys of the study that it depends on, with all below them; those in `but` do not count.
    after : tuple of str
        Stages whose files it reads.
    but : tuple of str
        Labels, and what belongs to other stages.
    """

    settings: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    but: tuple[str, ...] = ()


_LABELS = ("person.name", "person.id", "recording.name")
_NETWORK = ("recording", "sensors", "alignment", "coordinates", "training")
#: Files that every verb writes: they change with what else there is, and nothing is made from them.
_OF_ALL = tuple(row.name for row in FILES if row.verbs == "*")
_OTHER_SEEDS = ("training.seeds", "training.adaptation_steps", "training.devices")
#: Settings that an option of the command line replaces.
_TYPED = {"training.steps": "--steps", "training.seeds": "--seeds", "recording.sensors": "--sensors"}
#: By verb, in the order in which they follow each other.
STAGES: Mapping[str, Stage] = {
    "scale": Stage(("model", "person", "scaling", "coordinates"), but=_LABELS),
    "train": Stage(_NETWORK, ("scale",), (*_LABELS, *_OTHER_SEEDS)),
    "adapt": Stage(_NETWORK, ("scale",), (*_LABELS, *_OTHER_SEEDS, "training.steps")),
    "estimate": Stage(
        (*_NETWORK, "output.consistent"), ("scale", "train", "adapt"), (*_LABELS, "training.devices")
    ),
    "muscles": Stage(("muscles", "output"), ("scale", "estimate"), ()),
    "evaluate": Stage((), ("scale", "train", "adapt", "estimate", "muscles")),
    "stream": Stage((), ("scale", "train", "adapt")),
    "locate-sensors": Stage((), ("scale", "train", "adapt")),
    "inverse-dynamics": Stage((), ("scale", "estimate")),
    "joint-reactions": Stage((), ("scale", "estimate", "muscles")),
}


def made_from(verb: str, study: Mapping | None, inputs: Mapping[str, Path], files: Mapping) -> dict:
    """Return what a stage was made from, for the manifest.

    Parameters
    ----------
    study : mapping or None
        The study in plain values.
    inputs : mapping of str to Path
        Files by their keys in the study, or by another role.
    files : mapping
        Entries of the manifest for the files in the folder.
    """
    stage = STAGES[verb]
    return {
        "settings": _settings(stage, study),
        "inputs": {key: _hash(path) for key, path in inputs.items() if _counts(stage, key)},
        "files": {name: entry["sha256"] for name, entry in files.items() if _is_of(stage.after, name, entry)},
    }


def check(folder: Path, verb: str, manifest: Mapping, study: Mapping | None, inputs: Mapping) -> None:
    """Refuse a stage whose earlier ones were made from something else than there is now.

    Raises
    ------
    InputError
        Settings of the study, or a file that it names, are others than an earlier stage had; a file in the
        folder was changed by hand, is missing, or was made anew since another was made from it; or nothing
        says what it was made from.
    """
    if verb not in STAGES:
        return
    if study is not None:
        _refuse_unrecorded(folder, STAGES[verb].after, manifest)
    for earlier in STAGES[verb].after:
        if earlier in manifest.get("stages", {}):
            _refuse_stale(folder, earlier, manifest, study, inputs)


def _refuse_unrecorded(folder: Path, earlier: tuple[str, ...], manifest: Mapping) -> None:
    """Refuse files of earlier stages that no stage has recorded: the manifest is gone, or another's."""
    recorded, files = manifest.get("stages", {}), manifest.get("files", {})
    for name in sorted(stamps(folder)):
        row, verb = file_of(name), files.get(name, {}).get("verb")
        if row is None or name in _OF_ALL or (verb and verb not in STAGES):
            continue
        writers = [verb for verb in earlier if row.written_by(verb)]
        if writers and not recorded.keys() & {verb, *writers}:
            raise InputError(
                "Nothing says what a file of an earlier stage was made from.",
                where=folder / name,
                expected="an entry in manifest.json, which the stage writes",
                fix=f"run sspinn {writers[0]} again, and what follows it; or choose another --out",
            )


def _refuse_stale(
    folder: Path, earlier: str, manifest: Mapping, study: Mapping | None, inputs: Mapping
) -> None:
    """Refuse a stage that was made from something else, or whose files are not those that it wrote."""
    recorded, files = manifest["stages"][earlier], manifest.get("files", {})
    if what := next(_differences(earlier, recorded, study, inputs), ""):
        raise _stale(folder, earlier, what)
    for name, known in recorded["files"].items():
        if name in _OF_ALL:  # in manifests of before
            continue
        if files.get(name, {}).get("sha256") != known:
            raise _stale(folder, earlier, f"{name} was made anew since")
    for name, entry in files.items():
        if _is_of((earlier,), name, entry):
            path = folder / name
            if not path.is_file():
                raise _stale(folder, earlier, f"{name} is missing")
            # The size first: what a hash has to read of another file may never end.
            if path.stat().st_size != entry["bytes"] or _hash(path) != entry["sha256"]:
                raise _stale(folder, earlier, f"{name} was changed since it was written")


def whose(manifest: Mapping) -> str:
    """Return of what results are by their manifest, in words; empty: nothing says so."""
    # A study that ends with the scaling is a setting of that verb, and so are options in place of a study.
    scaled = manifest.get("settings", {}).get("scale", {})
    study = manifest.get("study", scaled.get("study"))
    if isinstance(study, Mapping):
        return f"the study '{study.get('name')}'"
    if "cohort" in manifest:  # which one, its networks know, and the folders of its people whose they are
        return "a cohort"
    return "a model that was scaled without a study" if scaled else ""


def check_same_study(
    folder: Path, manifest: Mapping, own: str, study: Mapping | None, inputs: Mapping, restart: bool
) -> None:
    """Refuse to fill a folder of another study, or, unless it starts over, of the same with other settings.

    Parameters
    ----------
    own : str
        What is begun, as `whose` says it.
    study : mapping or None
        The study in plain values; None: that of no person with a recording.
    inputs : mapping of str to Path
        Files that it names, by their keys.
    restart : bool
        Whether it starts over.

    Raises
    ------
    InputError
        Before anything is written.
    """
    there, fix = whose(manifest), "choose another --out"
    found = ""
    if there and there != own:
        found = f"results of {there}"
    elif not restart:
        recorded = manifest.get("stages", {})
        # Scaling is repeated anyway: it matters once something was trained on it.
        trained = [verb for verb in ("train", "adapt") if verb in recorded]
        for verb in ("scale", *trained) if trained else ():
            if verb in recorded and not found:
                found = next(_differences(verb, recorded[verb], study, inputs), "")
        fix += ", or train anew with --restart"
    if found:
        raise InputError(
            "The folder holds other results.", where=folder, found=found, fix=_typed(found) + fix
        )


def _differences(verb: str, recorded: Mapping, study: Mapping | None, inputs: Mapping) -> Iterator[str]:
    """Give what a stage was made from and is otherwise now."""
    if study is None:
        return
    stage = STAGES[verb]
    now, known = _settings(stage, study), recorded["settings"]
    for key in sorted(now.keys() | known.keys()):
        if now.get(key) != known.get(key):
            was, is_now = ("not stated" if s.get(key) is None else repr(s[key]) for s in (known, now))
            yield f"{key} was {was} and is {is_now}"[:300]
    for key, path in inputs.items():
        if key in recorded["inputs"] and _hash(path) != recorded["inputs"][key]:
            yield f"{path.name} ({key}) holds something else than then"


def _settings(stage: Stage, study: Mapping | None) -> dict[str, object]:
    return {key: value for key, value in _leaves(study or {}) if _counts(stage, key)}


def _counts(stage: Stage, key: str) -> bool:
    def below(names: tuple[str, ...]) -> bool:
        return any(key == name or key.startswith(f"{name}.") for name in names)

    of_study = below(stage.settings) or key.startswith("networks.")
    return of_study and not below(stage.but)


def _is_of(verbs: tuple[str, ...], name: str, entry: Mapping) -> bool:
    return entry["verb"] in verbs and name not in _OF_ALL


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _stale(folder: Path, verb: str, what: str) -> InputError:
    return InputError(
        f"What sspinn {verb} wrote does not belong to this study as it is now.",
        where=folder,
        found=what,
        fix=f"{_typed(what)}run sspinn {verb} again, and what follows it; or choose another --out",
    )


def _typed(what: str) -> str:
    """Return what to do about a setting that may have come from the command line instead of the study."""
    key, option = next(((key, own) for key, own in _TYPED.items() if what.startswith(f"{key} ")), ("", ""))
    return f"state {key} in the study, or give {option}, as then; or " if option else ""


def _hash(path: Path) -> str:
    about = check_input(path, "a file that results were made from").stat()
    return _known_hash(path, about.st_ino, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _known_hash(path: Path, inode: int, size: int, changed_ns: int) -> str:  # noqa: ARG001 (what makes it the same file)
    return sha256(path)
