"""A verb on a study, recorded in the manifest of its results folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from sspinn_opensim.results.manifest import recorded
from sspinn_opensim.study import Study

#: Only these verbs open the reference, so only they may read it, even for a hash.
_WITH_REFERENCE = ("evaluate",)


def recorded_for(study: Study, out: Path, verb: str) -> AbstractContextManager[None]:
    """Record what a verb does to the results folder of a study; see `recorded`."""
    return recorded(
        out,
        verb,
        f"{study.name}: motion and forces of {study.person.name}, estimated from inertial sensors",
        inputs=dict(_inputs(study, verb)),
        settings={"study": json.loads(json.dumps(dataclasses.asdict(study), default=lambda path: path.name))},
    )


def _inputs(study: Study, verb: str) -> Iterator[tuple[str, Path]]:
    """Give every file that a study names and a verb may read, with the key that names it."""
    for key, value in _leaves(study):
        named_reference = key.startswith("reference.")
        if isinstance(value, Path) and value.is_file() and (verb in _WITH_REFERENCE or not named_reference):
            yield ("study" if key == "path" else key), value


def _leaves(value, key: str = "") -> Iterator[tuple[str, object]]:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _leaves(getattr(value, field.name), f"{key}.{field.name}" if key else field.name)
    else:
        yield key, value
