"""OpenSim's set-up files (``.xml``): what each is and which files it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from lxml import etree

from sspinn_opensim.opensim_io.documents import read_root

#: Elements that name files a set-up reads; each may hold several, apart by blanks.
_READ = (
    "model_file",
    "force_set_files",
    "external_loads_file",
    "coordinates_file",
    "states_file",
    "controls_file",
    "forces_file",
    "marker_file",
    "datafile",
)
#: Elements that name what a set-up writes.
_WRITTEN = ("results_directory", "output_gen_force_file", "output_motion_file", "output_model_file")


@dataclasses.dataclass(frozen=True)
class SetupFile:
    """What a set-up file says of itself.

    Parameters
    ----------
    path : Path
        The file.
    tool : str
        Tag of its object, such as ``AnalyzeTool`` or ``ExternalLoads``.
    analyses : tuple of str
        Types of the analyses of an AnalyzeTool, such as ``StaticOptimization``.
    reads, writes : dict
        By element, such as ``model_file``: the names as they stand in the file.
    """

    path: Path
    tool: str
    analyses: tuple[str, ...]
    reads: dict[str, tuple[str, ...]]
    writes: dict[str, tuple[str, ...]]

    def missing(self) -> list[str]:
        """Return one line for each file it reads that is not there, or cannot move with the folder."""
        found = []
        for element, names in self.reads.items():
            for name in names:
                if _is_absolute(name):
                    found.append(f"<{element}> holds an absolute path, which no other computer has: {name}")
                elif not beside(self.path, name).is_file():
                    found.append(f"<{element}> names a file that is not there: {name}")
        return found


def read_setup_file(path: Path) -> SetupFile | None:
    """Return what an XML file sets up, or None where it is no OpenSim document.

    Raises
    ------
    InputError
        The file cannot be read, or is no whole XML file.
    """
    path = Path(path)
    root = read_root(path, "cannot read the set-up file")
    objects = [element for element in root if isinstance(element.tag, str)]
    if root.tag != "OpenSimDocument" or not objects:
        return None
    tool = objects[0]
    analyses = [
        element.tag
        for element in tool.iterfind("AnalysisSet/objects/*")
        if isinstance(element.tag, str) and (element.findtext("on") or "true").strip() != "false"
    ]
    return SetupFile(path, tool.tag, tuple(analyses), _names(tool, _READ), _names(tool, _WRITTEN))


def beside(path: Path, name: str) -> Path:
    """Return the place of a file that another names; either kind of slash parts its folders."""
    return Path(path).parent / name.replace("\\", "/")


def _is_absolute(name: str) -> bool:
    return name.startswith(("/", "\\")) or name[1:3] in (":\\", ":/")


def _names(tool: etree._Element, elements: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for element in elements:
        texts = [(child.text or "").strip() for child in tool.iter(element)]
        several = element == "force_set_files"  # the only list; other names may hold blanks
        names = [name for text in texts for name in (text.split() if several else [text])]
        names = [name for name in names if name and name.lower() != "unassigned"]
        if names:
            found[element] = tuple(names)
    return found
