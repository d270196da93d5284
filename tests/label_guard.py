"""Watches a process for anything that reaches for the reference of a study; run as a script, it trains.

``python label_guard.py STUDY UNALIGNED OUT`` trains, adapts and estimates one study as it is, checks the
second, whose sensors have to be aligned, then does so again with one planted leak after the other, and prints
what was reached for in each case as JSON behind ``FOUND``. Python's audit events show every file that Python
opens, every folder it lists and every process it starts; code that opens files by itself (C++) is not seen,
which is why other tests spoil the reference and compare what is learnt.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

#: Events of Python whose first argument is a path; https://docs.python.org/3/library/audit_events.html.
READING = ("open", "os.listdir", "os.scandir", "shutil.copyfile", "shutil.copytree", "os.link", "os.symlink")
STARTING = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system")


class LabelGuard:
    """Notes what the process reaches for, from its making on (an audit hook can never be taken away).

    Parameters
    ----------
    files : iterable of Path
        The reference: nobody may open these files, list their folders or start a process with their names.
    """

    def __init__(self, files) -> None:
        self.files = {os.path.realpath(file) for file in files}
        self.folders = {str(Path(file).parent) for file in self.files}
        self.found: list[str] = []
        self._looking = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple) -> None:
        if self._looking or event not in READING + STARTING:
            return
        self._looking = True
        try:
            self.found += [f"{event} {name}" for name in self._named(event, arguments)]
        finally:
            self._looking = False

    def _named(self, event: str, arguments: tuple) -> set[str]:
        if event in STARTING:
            words = " ".join(_texts(arguments))
            return {name for name in (Path(file).name for file in self.files) if name in words}
        if not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return set()
        path = os.path.realpath(os.fsdecode(arguments[0]))
        return {Path(path).name} if path in self.files | self.folders else set()


def reference_files(study) -> list[Path]:
    """Return the files of a study's reference."""
    return [value for value in vars(study.reference).values() if isinstance(value, Path)]


def _texts(value) -> list[str]:
    if isinstance(value, str | bytes | os.PathLike):
        return [os.fsdecode(value)]
    if isinstance(value, dict):
        return _texts(tuple(value.values()))
    return [text for item in value for text in _texts(item)] if isinstance(value, tuple | list) else []


def main(study_file: str, unaligned: str, out: str) -> None:
    """Check, align, train, adapt and estimate; once as it is, and once with each leak."""
    import osim_models
    from sspinn_opensim.opensim_io.tables import staging
    from sspinn_opensim.study import cohort as cohort_file
    from sspinn_opensim.study import override, read_study
    from sspinn_opensim.training.losses import FUNCTIONS
    from sspinn_opensim.verbs import adapt, estimate, prepared, scale, train

    study, out = override(read_study(study_file), steps=2), Path(out)
    model = osim_models.path("planar_gait.osim")
    # What asks OpenSim is a process of its own and sees no study: the model is scaled, the files are trusted.
    staging.check_files = lambda files: None
    scale.scale = lambda study, out: _place(study, model, out)
    scale.scale(study, out)
    guard = LabelGuard(reference_files(study))
    file = str(reference_files(study)[0])
    link = out / "innocent.csv"
    link.symlink_to(file)
    guard.found.clear()
    cohort = cohort_file.CohortStudy(study.path, "two", (study, replace(study, name="b")), (), study.training)

    def watched(*, estimating: bool = False, everything: bool = False) -> list[str]:
        guard.found.clear()
        train.train(study, out, restart=True)
        if estimating or everything:
            estimate.estimate(study, out)
        if everything:
            adapt.adapt(study, out, out / "adapted", steps=1)
            for person in cohort.people:
                scale.scale(person, out / "cohort" / "people" / person.name)
            train.train(cohort, out / "cohort")
            estimate.estimate(cohort, out / "cohort")
        return sorted(set(guard.found))

    leaks = {
        "file": lambda: Path(file).read_bytes(),
        "low level": lambda: os.close(os.open(file, os.O_RDONLY)),
        "link": link.read_bytes,
        "folder": lambda: os.listdir(Path(file).parent),
        "process": lambda: subprocess.run(["cat", file], capture_output=True, check=False),
        "shell": lambda: os.system(f"cat '{file}' > /dev/null"),
    }
    found = {"as it is": watched(everything=True)}
    torque, read, predict = FUNCTIONS["torque"], prepared.read_recording, estimate.write_estimate
    for name, leak in leaks.items():
        FUNCTIONS["torque"] = lambda *given, leak=leak: (leak(), torque(*given))[1]
        found[f"loss, {name}"] = watched()
    FUNCTIONS["torque"] = torque
    prepared.read_recording = lambda study: (leaks["file"](), read(study))[1]
    found["recording, file"] = watched()
    prepared.read_recording = read
    estimate.write_estimate = lambda *given, **named: (leaks["file"](), predict(*given, **named))[1]
    found["estimate, file"] = watched(estimating=True)
    estimate.write_estimate = predict
    gait_of = estimate.gait_of
    estimate.gait_of = lambda *given, **named: (leaks["file"](), gait_of(*given, **named))[1]
    found["gait, file"] = watched(estimating=True)
    estimate.gait_of = gait_of
    found |= _checks(guard, Path(unaligned), out / "checked", leaks["file"])
    found["as it is again"] = watched(estimating=True)
    print("FOUND " + json.dumps(found))


def _checks(guard: LabelGuard, study: Path, out: Path, leak) -> dict[str, list[str]]:
    """Check a study; once as it is, and once with a leak in the alignment and in the check itself."""
    from sspinn_opensim.verbs import axes, check, vendor_files

    def checked() -> list[str]:
        guard.found.clear()
        assert check.check(study, out=out).alignment is not None
        return sorted(set(guard.found))

    found = {"check as it is": checked()}
    align, overview_of = axes.align, vendor_files.overview_of
    axes.align = lambda *given, **named: (leak(), align(*given, **named))[1]
    found["alignment, file"] = checked()
    axes.align = align
    vendor_files.overview_of = lambda *given, **named: (leak(), overview_of(*given, **named))[1]
    found["check, file"] = checked()
    vendor_files.overview_of = overview_of
    return found


def _place(study, model: Path, out: Path) -> None:
    """Put a model into a results folder as scaling would that changes nothing."""
    from sspinn_opensim.results.record import recorded

    with recorded(out, "scale", study=study):
        shutil.copy(model, out / "subject.osim")


if __name__ == "__main__":
    main(*sys.argv[1:])
