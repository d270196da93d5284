"""docs/simulation.md lists exactly the settings there are, with their defaults."""

import dataclasses
import re
import typing

from sspinn_opensim.simulation.settings import SimulationSettings


def tables(repository):
    text = (repository / "docs" / "simulation.md").read_text(encoding="utf-8").partition("## Settings")[2]
    for part in re.split(r"^(?=`\[|Top level)", text, flags=re.MULTILINE)[1:]:
        name = re.match(r"`\[(\w+)", part)
        rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", part, re.MULTILINE)
        yield (name[1] if name else ""), {key: default.strip() for key, _, default in rows}


def kinds():
    hints = typing.get_type_hints(SimulationSettings)
    found = {"": SimulationSettings}
    for name, hint in hints.items():
        inner = [part for part in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(part)]
        found |= {name: inner[0]} if inner else {}
    return found


def test_every_setting_is_documented_with_its_default(repository):
    documented, existing = dict(tables(repository)), kinds()
    assert set(documented) == set(existing)
    for table, kind in existing.items():
        own = {f.name: f for f in dataclasses.fields(kind)}
        own = {
            name: f
            for name, f in own.items()
            if name not in existing and (table, name) != ("sensors", "name")
        }
        assert set(documented[table]) == set(own), table
        assert all(name in kind.__doc__ for name in own)
        for name, field in own.items():
            if isinstance(field.default, float | int):
                assert float(documented[table][name]) == field.default, (table, name)
