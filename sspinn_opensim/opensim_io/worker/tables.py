"""Jobs about files: tables as OpenSim's two readers see them, set-ups as its tools load them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_SETUPS = (
    "AnalyzeTool",
    "InverseDynamicsTool",
    "InverseKinematicsTool",
    "ScaleTool",
    "ForceSet",
    "MarkerSet",
    "ScaleSet",
    "ControlSet",
)


def inspect_files(opensim: ModuleType, tables: list[str], setups: dict, output: str) -> dict:
    """Read tables with both readers and load set-ups, each as the class that its tag names.

    Numbers are saved in an ``.npz`` at `output`: arrays ``<reader>_<place in tables>``, the times in their
    first column. The answer holds labels and units by table and reader, and the errors of set-ups by path.
    """
    arrays, answer = {}, {}
    for place, path in enumerate(tables):
        answer[path] = {}
        for reader, read in (("TimeSeriesTable", _read_table), ("Storage", _read_storage)):
            try:
                labels, values, in_degrees = read(opensim, path)
            except Exception as error:  # noqa: BLE001 - the caller names the file and the reader
                answer[path][reader] = {"error": f"{type(error).__name__}: {error}"}
                continue
            arrays[f"{reader}_{place}"] = values
            answer[path][reader] = {"labels": labels, "in_degrees": in_degrees}
    with Path(output).open("wb") as file:
        np.savez(file, **arrays)
    return {"tables": answer, "setup_errors": _load_setups(opensim, setups)}


def _load_setups(opensim: ModuleType, setups: dict) -> dict:
    errors = {}
    for path, tag in setups.items():
        try:
            if tag == "ExternalLoads":
                loads = opensim.ExternalLoads(path, True)
                opensim.Storage(str(Path(path).parent / loads.getDataFileName()))
            elif tag in _SETUPS:
                getattr(opensim, tag)(path)
            else:
                errors[path] = f"no tool of OpenSim loads a <{tag}>"
        except Exception as error:  # noqa: BLE001 - every error of OpenSim arrives as some exception
            errors[path] = f"{type(error).__name__}: {error}"
    return errors


def _read_table(opensim: ModuleType, path: str) -> tuple[list[str], np.ndarray, str]:
    table = opensim.TimeSeriesTable(path)
    time = np.array(table.getIndependentColumn())
    matrix = table.getMatrix()
    values = np.column_stack([time, matrix.to_numpy().copy()])
    stated = table.hasTableMetaDataKey("inDegrees")
    return list(table.getColumnLabels()), values, table.getTableMetaDataString("inDegrees") if stated else ""


def _read_storage(opensim: ModuleType, path: str) -> tuple[list[str], np.ndarray, str]:
    storage = opensim.Storage(path)
    return _labels(storage), _rows(storage), "yes" if storage.isInDegrees() else "no"


def _labels(storage: Any) -> list[str]:
    names = storage.getColumnLabels()
    return [names.get(k) for k in range(names.getSize())][1:]


def _rows(storage: Any) -> np.ndarray:
    """Return time and values of every row; single numbers would cross from C++ slowly."""
    widths = {storage.getStateVector(k).getData().getSize() for k in range(storage.getSize())}
    if len(widths) > 1:
        raise RuntimeError("rows of different length")
    rows = np.empty((storage.getSize(), 1 + max(widths, default=-1)))
    for k, row in enumerate(rows):
        state = storage.getStateVector(k)
        row[0] = state.getTime()
        if len(row) > 1:
            values = state.getData().getAsVector()
            row[1:] = values.to_numpy()
    return rows
