"""Hostile studies: names, sizes and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.hostile.planting import NAMES, Plant, demo, ended
from benchmarks.hostile.watch import Place


def study_cases() -> Iterator[tuple[str, Plant]]:
    """Give studies with hostile names and sizes."""
    changes: dict[str, Callable[[str], str]] = {}
    for kind, name in NAMES.items():
        word = json.dumps(name, ensure_ascii=True)
        changes |= {
            f"study called {kind}": lambda t, w=word: t.replace('name = "demo"', f"name = {w}", 1),
            f"person called {kind}": lambda t, w=word: t.replace(
                '[person]\nname = "demo"', f"[person]\nname = {w}", 1
            ),
            f"recording called {kind}": lambda t, w=word: t.replace('name = "walk"', f"name = {w}", 1),
            f"sensor called {kind}": lambda t, w=word: t.replace("[sensors.foot_l]", f"[sensors.{w}]", 1),
            f"key called {kind}": lambda t, w=word: f"{w} = 1\n{t}",
            f"frame called {kind}": lambda t, w=word: t.replace('"foot_l_imu"', w, 1),
            f"model called {kind}": lambda t, w=word: t.replace('"builtin:planar_gait"', w, 1),
            f"recording file called {kind}": lambda t, w=word: t.replace('"demo/imu.csv"', w, 1),
        }
    for name in ("../x", "../../beside/x", "/elsewhere/x", ".", "..", "a/b", "CON", "x" * 300, "-rf", ""):
        word = json.dumps(name)
        changes |= {
            f"study called {name[:20]}": lambda t, w=word: t.replace('name = "demo"', f"name = {w}", 1),
            f"sensor called {name[:20]}": lambda t, w=word: t.replace(
                "[sensors.foot_l]", f"[sensors.{w}]", 1
            ),
        }
    changes |= {
        "key of a million parts": lambda t: f"{'a.' * 1_000_000}a = 1\n{t}",
        "header of a million parts": lambda t: f"{t}\n[{'a.' * 1_000_000}a]\n",
        "20,000 keys of 200 parts": lambda t: t + "".join(f"[{'a.' * 200}b{k}]\n" for k in range(20_000)),
        "a million keys": lambda t: t + "[q]\n" + "".join(f"k{k} = 1\n" for k in range(900_000)),
        "9 MB of text": lambda t: t.replace('name = "demo"', f'name = "{"x" * 9_000_000}"', 1),
        "a list of 3 million": lambda t: f"{t}\nx = [{'1,' * 3_000_000}]\n",
        "100,000 sensors": lambda t: t + "".join(f"[sensors.s{k}]\n" for k in range(100_000)),
        "9 MB of an open text": lambda t: f'{t}\nx = "{"a" * 9_000_000}',
        "9 MB of quotes": lambda t: t + "\nx = " + '"' * 9_000_000,
        "9 MB of backslashes": lambda t: f'{t}\nx = """{chr(92) * 9_000_000}',
        "9 MB of blanks": lambda t: f"{t}\nx = {' ' * 9_000_000}1\n",
        "9 MB of a number": lambda t: f"{t}\nx = {'1_' * 4_500_000}1\n",
        "9 MB of a date": lambda t: f"{t}\nx = 1979-05-27T00:32:00.{'9' * 9_000_000}\n",
        "9 MB of a pattern": lambda t: t.replace(
            "[recording.csv]", f'[recording.csv]\nacceleration_pattern = "{"{sensor}" * 100_000}"', 1
        ),
        "a pattern that goes back": lambda t: t.replace(
            "[recording.csv]", f'[recording.csv]\nacceleration_pattern = "{"{sensor}_{axis}" * 30}"', 1
        ),
    }
    for name, change in changes.items():
        for verb in ("check", "run", "replay"):
            if verb == "replay" and "called" in name:
                continue

            def plant(here: Place, change=change, verb=verb) -> Sequence[str | Path]:
                study = demo(here, (lambda text: ended(change(text))) if verb == "run" else change)
                return [verb, study, *(["--out", here.own / "out"] if verb == "run" else [])]

            yield f"{verb}: {name}", plant
