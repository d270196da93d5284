"""Pictures a second of the viewer in a Chromium without a graphics card.

Run ``python -m benchmarks.viewer --model MODEL.osim [--meshes FOLDER]``: the model swings its legs, with all
its muscles and two forces, at 960 x 540 pixels. Each picture is waited for (a pixel of it is read back).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import processor
from casadi_dynamics.osim import read_model
from sspinn_opensim.viewer import FrameMaker, make_scene, scripts
from sspinn_opensim.viewer.bones import read_bones

_FRAMES = 100
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0 }} #v {{ width: 960px; height: 540px }}
</style><div id="v"></div><script>{scripts}</script><script>
const scene = {scene}, frames = SspinnViewer.decode("{frames}"), floats = scene.frame_floats;
const viewer = new SspinnViewer(document.getElementById("v"), scene, {{ theme: "light" }});
function measured(seconds) {{
  return new Promise((done) => {{
    const spent = [], began = performance.now(), pixel = new Uint8Array(4);
    const gl = viewer._renderer.getContext();
    let k = 0;
    function next() {{
      const from = performance.now();
      viewer.show(frames.subarray((k % {count}) * floats, (k % {count} + 1) * floats));
      k++;
      requestAnimationFrame(() => {{
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
        spent.push(performance.now() - from);
        if (performance.now() - began < 1000 * seconds) next();
        else done({{ spent, seconds: (performance.now() - began) / 1000, share: viewer._share }});
      }});
    }}
    next();
  }});
}}
</script>"""


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model file")
    parser.add_argument("--meshes", type=Path, help="folder with the meshes of its bones")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to draw")
    parser.add_argument("--screenshot", type=Path, help="PNG to write")
    options = parser.parse_args()
    print(json.dumps(measure(options.model, options.meshes, options.seconds, options.screenshot), indent=1))


def measure(path: Path, meshes: Path | None, seconds: float, screenshot: Path | None = None) -> dict:
    """Return pictures a second, and what was drawn."""
    from tests.chromium import Chromium

    model = read_model(path)
    bones = read_bones(path, [meshes] if meshes else [])
    scene = make_scene(model, bones=bones, forces=("r", "l"), muscles=[m.name for m in model.muscles])
    maker = FrameMaker(model, scene)
    q = np.tile([coordinate.default for coordinate in model.coordinates], (_FRAMES, 1))
    phase = 2 * np.pi * np.arange(_FRAMES) / _FRAMES
    for i, coordinate in enumerate(model.coordinates):
        if coordinate.name.startswith("hip_flexion"):
            q[:, i] = 0.5 * np.sin(phase + (np.pi if coordinate.name.endswith("_l") else 0.0))
    given = {
        "point": np.zeros((_FRAMES, 2, 3)),
        "force": np.tile([[0.0, 700.0, 0.0]], (_FRAMES, 2, 1)),
        "activation": 0.5 + 0.5 * np.sin(phase[:, None] + np.arange(len(model.muscles))),
    }
    frames = maker.frames(q, **given)
    began = time.perf_counter()
    for k in range(_FRAMES):
        maker.frames(q[k : k + 1], **{name: value[k : k + 1] for name, value in given.items()})
    made_ms = 1000 * (time.perf_counter() - began) / _FRAMES
    page = _PAGE.format(
        scripts="\n".join(scripts().values()),
        scene=json.dumps(scene.to_json()),
        frames=base64.b64encode(frames.tobytes()).decode(),
        count=_FRAMES,
    )
    with tempfile.TemporaryDirectory() as folder, Chromium(960, 540) as browser:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        browser.open(file.as_uri())
        browser.until("document.querySelector('canvas') !== null")
        browser.value("measured(2)")  # shaders are compiled, and pixels spared where they must be
        found = browser.value(f"measured({seconds})")
        if screenshot:
            browser.screenshot(screenshot)
        said = browser.errors
    spent = np.array(found["spent"])
    return {
        "processor": processor(),
        "load": round(os.getloadavg()[0], 2),
        "model": model.name,
        "triangles": sum(len(bone.mesh.triangles) for bone in bones.bones),
        "muscles": len(scene.muscles),
        "pictures_a_second": round(len(spent) / found["seconds"], 1),
        "ms_50_95": [round(float(value), 1) for value in np.percentile(spent, [50, 95])],
        "share_of_pixels": found["share"],
        "frame_made_ms": round(made_ms, 3),
        "frame_bytes": 4 * scene.frame_floats,
        "page_kb": round(len(page) / 1000),
        "console": said,
    }


if __name__ == "__main__":
    main()
