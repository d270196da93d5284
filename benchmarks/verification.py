"""How closely the functions of models agree with OpenSim, model by model.

Run ``python -m benchmarks.verification MODEL.osim ...`` or name folders. A model with stored answers beside
it (``MODEL.npz``) is compared with those, any other with a live OpenSim at random states.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Compare all models, print the table; return 1 if any does not agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verification", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="model files, or folders to search for them")
    parser.add_argument("--json", action="store_true", help="print one JSON object with all reports")
    options = parser.parse_args(arguments)
    files = [file for path in options.paths for file in models_in(path)]
    reports = {}
    for file in files:
        reports[str(file)] = report = verify(file)
        if not options.json:
            print(row(file, report), flush=True)
    if options.json:
        print(json.dumps(reports))
    return 0 if all(report["agrees"] for report in reports.values()) else 1


def models_in(path: Path) -> list[Path]:
    """Return the model files of a folder, or the file itself."""
    return sorted(path.rglob("*.osim")) if path.is_dir() else [path]


def verify(file: Path) -> dict:
    """Return the report of the command `verify` on one model, with its exit status as `agrees`."""
    stored = file.with_suffix(".npz")
    reference = ["--reference", str(stored)] if stored.exists() else []
    command = [sys.executable, "-m", "casadi_dynamics", "verify", str(file), *reference, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout) if done.stdout else {"error": done.stderr.strip()}
    return report | {"agrees": done.returncode == 0}


def row(file: Path, report: dict) -> str:
    """Return one line of the table."""
    if "error" in report:
        return f"{file.stem:<32}  {report['error'].splitlines()[0]}"
    quantities = report["quantities"]
    worst = max(quantities, key=quantities.get)
    notes = "upgraded by OpenSim" if report.get("upgraded_by_opensim") else ""
    if report.get("simbody_defect_added_in"):
        notes = f"Simbody's defect added in {', '.join(report['simbody_defect_added_in'])}"
    reference = "stored" if file.with_suffix(".npz").exists() else "live"
    cells = f"{file.stem:<32}  {reference:<6}  {len(quantities):3d} quantities"
    return f"{cells}  {report['max_relative_error']:.1e}  ({worst})  {notes}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
