"""Damaged recordings are read or refused; `benchmarks/reader_mutations.py` does the same for thousands."""

import importlib.util
from pathlib import Path
from random import Random

import numpy as np
import pytest

from sspinn_opensim.recording import recognise

# Benchmarks are not installed with the packages: the module is taken from its file.
_FILE = Path(__file__).resolve().parents[3] / "benchmarks" / "reader_mutations.py"
_SPEC = importlib.util.spec_from_file_location("reader_mutations", _FILE)
_module = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_module)
MUTATIONS, mutate, run = (getattr(_module, name) for name in ("MUTATIONS", "mutate", "run"))

COUNT = 50


def rows(*columns, mark="\t"):
    return "".join(mark.join(row) + "\n" for row in zip(*columns, strict=True))


def numbers(count, n=30):
    values = np.random.default_rng(0).normal(size=(count, n)) + 5
    return [[f"{x:.6f}" for x in column] for column in values]


def texts():
    """Return a small recording in each layout, by the name of its file."""
    count = [str(k) for k in range(30)]
    signals = numbers(6)
    names = "Acc_X Acc_Y Acc_Z Gyr_X Gyr_Y Gyr_Z".split()
    mt = "// DeviceId: 00B40001\n// Update Rate: 100.0Hz\n" + "\t".join(["PacketCounter", *names]) + "\n"
    dot = "sep=,\nDeviceTag:,foot\nOutputRate:,60Hz\n\n" + ",".join(
        ["PacketCounter", "SampleTimeFine", *names]
    )
    clock = [str(16667 * k) for k in range(30)]
    unit = ["1.000000,0.000000,0.000000,0.000000"] * 30
    sto = "DataRate=100\nDataType=Quaternion\nversion=3\nendheader\ntime\tpelvis_imu\tfoot_imu\n"
    frames = "".join(
        f'<frame time="{10 * k}" index="{k}" type="normal">\n'
        f"<sensorAcceleration>{' '.join(row[:3])}</sensorAcceleration>\n"
        f"<sensorAngularVelocity>{' '.join(row[3:])}</sensorAngularVelocity>\n</frame>\n"
        for k, row in enumerate(zip(*signals, strict=True))
    )
    suit = '<mvnx>\n<subject frameRate="100">\n<sensors>\n<sensor label="Pelvis"/>\n</sensors>\n<frames>\n'
    return {
        "walk_00B40001.txt": mt + rows(count, *signals),
        "foot.csv": dot + "\n" + rows(count, clock, *signals, mark=","),
        "walk.sto": sto + rows([f"{k / 100}" for k in range(30)], unit, unit),
        "walk.mvnx": suit + frames + "</frames>\n</subject>\n</mvnx>\n",
    }


@pytest.mark.parametrize("name", texts())
def test_damaged_recordings_are_read_or_refused(tmp_path, name):
    (tmp_path / name).write_text(texts()[name])
    counts, faults = run([tmp_path / name], COUNT, seed=0)
    assert not faults, "\n".join(faults)
    form = recognise(tmp_path / name).name
    assert counts.total() == COUNT
    assert counts[f"{form} refused"] > 5 and counts[f"{form} read the same"] > 5


@pytest.mark.parametrize("kind", MUTATIONS)
def test_every_mutation_changes_a_file(kind):
    data = texts()["walk_00B40001.txt"].encode()
    assert any(MUTATIONS[kind](data, Random(f"{kind} {i}")) != data for i in range(8))


def test_other_numbers_after_a_change_of_nothing_are_a_fault(tmp_path, monkeypatch):
    path = tmp_path / "walk_00B40001.txt"
    path.write_text(texts()[path.name])
    for label, what in (("blank lines", "nothing was changed"), ("lost cell", "wrong columns")):
        monkeypatch.setattr(_module, "mutate", lambda data, _, k=label: ([k], data.replace(b"4.", b"3.")))
        counts, faults = run([path], 1, seed=0)
        assert counts == {"xsens_mt fault": 1} and what in faults[0]


def test_a_traceback_is_a_fault(tmp_path, monkeypatch):
    path = tmp_path / "walk_00B40001.txt"
    path.write_text(texts()[path.name])
    monkeypatch.setattr(_module, "outcome", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in run([path], 1, seed=0)[1][0]
