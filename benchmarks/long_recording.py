"""What an hour of walking costs: time and memory of every stage, each in a process of its own.

Run ``python -m benchmarks.long_recording --out DIR``. The recording is a stride of the built-in demo,
repeated with small changes from stride to stride and ten seconds of standing every five minutes, by eight
sensors with six channels each. The network learns to walk, roughly: what it has learnt changes what one stage
costs, as a wild motion takes three times as long to be made to agree with its forces.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import processor
from sspinn_opensim.recording import read_recording
from sspinn_opensim.study import examples_folder, read_study

RATE_HZ, STRIDE_FRAMES = 100, 110
STANDING_EVERY_S, STANDING_S = 300.0, 10.0
#: Stages by the verb; those with a mark must not take longer than the recording on two cores.
STAGES = {
    "scale": True,
    "convert": True,
    "train": False,
    "estimate": True,
    "muscles --fast": True,
    "muscles": False,
    "evaluate": True,
}
#: All but static optimization, in one process.
TOGETHER = "run without muscles"
#: What the project promises of an hour through all stages but static optimization, bytes.
MOST_BYTES = 1e9
_STUDY = """name = "long"

[model]
file = "builtin:planar_gait"

[person]
height_m = 1.72
mass_kg = 68.0

[recording]
format = "csv"
file = "long.csv"

[training]
steps = {steps}

"""
_RUN = """
import logging, resource
from pathlib import Path
from sspinn_opensim.study import read_study
from sspinn_opensim.verbs import convert, estimate, evaluate, prepared, scale, train
study, out = read_study(Path({study!r})), Path({out!r})
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
def done(stage):
    logging.info(f"{{stage}} done, peak {{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000}} MB")
scale.scale(study, out)
convert.convert(study, out)
made = prepared.prepare(study, out)
done("reading")
train.train(study, out, prepared=made)
done("train")
estimate.estimate(study, out, prepared=made)
done("estimate")
evaluate.evaluate(study, out, prepared=made)
done("evaluate")
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the recording, run the stages and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_recording", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the recording and the results")
    parser.add_argument("--minutes", type=float, default=60.0, help="length (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="of the training (default: %(default)s)")
    parser.add_argument("--stages", default=",".join([TOGETHER, *STAGES]), help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    study = write_study(options.out, options.minutes, options.steps)
    rows = []
    for stage in options.stages.split(","):
        wall_s, processor_s, peak_bytes, failed = measure(stage, study, options.out)
        rows.append(
            {
                "stage": stage,
                "wall_s": wall_s,
                "processor_s": processor_s,
                "times_real_time": 60 * options.minutes / wall_s,
                "peak_bytes": peak_bytes,
                "failed": failed,
                "misses": (STAGES.get(stage, False) and wall_s > 60 * options.minutes)
                or (stage == TOGETHER and peak_bytes > MOST_BYTES),
            }
        )
        if not options.json:
            print(_line(rows[-1]), flush=True)
    found = {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "minutes": options.minutes}
    if options.json:
        print(json.dumps(found | {"stages": rows}, indent=1))
    else:
        print(f"{options.minutes:g} minutes; {found['processor']}, {found['cores']} cores")
    if any(row["failed"] for row in rows):
        sys.exit(1)


def measure(stage: str, study: Path, out: Path) -> tuple[float, float, int, bool]:
    """Return wall and processor time (s), memory of the largest process (bytes), whether it failed."""
    results = out / "results"
    if stage == TOGETHER:
        command = [sys.executable, "-c", _RUN.format(study=str(study), out=str(results))]
    else:
        verb, *flags = stage.split()
        command = [sys.executable, "-m", "sspinn_opensim", verb, str(study), "--out", str(results), *flags]
    start = time.monotonic()
    with (out / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB. A verdict that forces are not to be trusted ends with 1 too: training was short.
    failed = process.returncode != 0 and not stage.startswith("muscles")
    processor_s = usage.ru_utime + usage.ru_stime
    return time.monotonic() - start, processor_s, 1024 * usage.ru_maxrss, failed


def write_study(out: Path, minutes: float, steps: int) -> Path:
    """Write the recording, unless it is there, and its study; return the study."""
    out.mkdir(parents=True, exist_ok=True)
    names, signals = _tiled(minutes)
    file, length = out / "long.csv", out / "minutes.txt"
    if not file.is_file() or not length.is_file() or length.read_text() != f"{minutes:g}":
        with file.open("w") as table:
            kinds = [f"{name}_{kind}_{axis}" for name in names for kind in ("acc", "gyro") for axis in "xyz"]
            table.write(",".join(["time", *kinds]) + "\n")
            for first in range(0, len(signals), 10_000):
                block = signals[first : first + 10_000]
                time_s = (first + np.arange(len(block))) / RATE_HZ
                digits = ["%.2f", *["%.5g"] * len(kinds)]
                np.savetxt(table, np.column_stack([time_s, block]), fmt=digits, delimiter=",")
        length.write_text(f"{minutes:g}")
    text = _STUDY.format(steps=steps)
    for name in names:
        place = f'imu_frame = "{name}_imu"'
        if name == "torso":
            place = 'body = "torso"\nposition = [0.1, 0.3, 0.0]'
        text += f"[sensors.{name}]\n{place}\n\n"
    study = out / "long.toml"
    study.write_text(text)
    return study


def _tiled(minutes: float) -> tuple[list[str], np.ndarray]:
    """Return names of sensors and signals (n, 48): acceleration and angular rate of each, in body axes."""
    demo = read_recording(read_study(examples_folder() / "demo.toml"))
    names = [*demo.sensor_names, "torso"]
    cycle = slice(5 * STRIDE_FRAMES, 6 * STRIDE_FRAMES)
    both = np.stack([demo.acceleration[cycle], demo.angular_rate[cycle]], axis=2)
    both = np.concatenate([both, both[:, :1]], axis=1)  # the trunk moves with the pelvis
    frames, rng = round(60 * minutes * RATE_HZ), np.random.default_rng(0)
    strides = -(-frames // STRIDE_FRAMES)
    size = 1 + 0.03 * rng.normal(size=(strides, 1, *both.shape[1:]))
    signals = (both[None] * size).reshape(-1, *both.shape[1:])[:frames]
    standing = np.arange(frames) / RATE_HZ % STANDING_EVERY_S < STANDING_S
    signals[standing] = np.array([[0.0, 9.81, 0.0], [0.0, 0.0, 0.0]])
    signals += np.array([0.05, 0.005])[:, None] * rng.normal(size=signals.shape)
    return names, signals.reshape(frames, -1)


def _line(row: dict) -> str:
    state = "failed, see log.txt" if row["failed"] else "misses the target" if row["misses"] else ""
    return (
        f"{row['stage']:20} {row['wall_s']:8.1f} s (processor {row['processor_s']:.1f} s) "
        f"{row['times_real_time']:8.1f} x real time "
        f"{row['peak_bytes'] / 1e6:8.0f} MB  {state}"
    )


if __name__ == "__main__":
    main()
