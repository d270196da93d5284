"""Hostile cases by name: what each plants, and the command that meets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile.checkpoints import checkpoint_bombs
from benchmarks.hostile.meshes import mesh_cases
from benchmarks.hostile.named_files import role_cases
from benchmarks.hostile.opensim_files import load_cases, model_bombs, set_up_cases, table_bombs
from benchmarks.hostile.planting import Plant
from benchmarks.hostile.recordings import recording_bombs
from benchmarks.hostile.results_folders import folder_cases, json_cases, link_cases, other_files_of_folders
from benchmarks.hostile.studies import study_cases
from sspinn_opensim.results.folder import ResultsFolder


def all_cases(results: Path | None) -> Iterator[tuple[str, Plant]]:
    """Give all cases; those of a results folder where there is one."""
    yield from role_cases()
    yield from recording_bombs()
    yield from model_bombs()
    yield from table_bombs()
    yield from load_cases()
    yield from set_up_cases()
    yield from study_cases()
    if results is not None:
        ResultsFolder(results)
        yield from folder_cases(results)
        yield from link_cases(results)
        yield from other_files_of_folders(results)
        yield from checkpoint_bombs(results)
        yield from json_cases(results)
        yield from mesh_cases(results)
