"""The body in the browser: a model as a scene of plain data, a motion as frames, and the script for both.

A page holds `scripts` (three.js and the viewer, served or inlined by whoever makes the page), a scene as JSON
(`Scene.to_json`) and frames (`FrameMaker`):

.. code-block:: js

   const viewer = new SspinnViewer(container, scene, { theme: "auto", follow: true });
   viewer.show(frame);              // Float32Array of scene.frame_floats numbers
   viewer.fit();                    // the whole person in the picture
   viewer.view("side");             // or "front", "oblique"
   viewer.follow = false;           // whether the camera goes along
   viewer.visible("muscles", false) // bones, links, spheres, muscles, forces, sensors, floor
   viewer.theme("dark");            // or "light", "auto"
   viewer.dispose();
   SspinnViewer.decode(base64);     // Float32Array of base64 text

The constructor throws an Error where there is no WebGL. The container is an element with a size; the viewer
fills it with a canvas. It loads nothing and asks for nothing.

The scene is a JSON object. Places are in m, in the axes of a body; ``body`` is an index into ``bodies``, or
-1 for ground; a station is ``[body, x, y, z]``.

==================  =========================================================================================
``format``          1
``name``            of the model
``bodies``          names, in the order of the frames
``root``            index of the body that the camera follows
``box``             ``[[x, y, z], [x, y, z]]``: corners of the person standing upright, in ground
``floor_m``         height of the floor
``weight_n``        of the person: a force so large has an arrow of 0.6 m
``links``           ``{from: station, to: station, side}``: a rod from joint to joint of a body that has no
                    bones; ``side`` is ``r``, ``l`` or empty
``bones``           ``{body, side, points, triangles}``: base64 of float32 (n, 3) and of uint32 (m, 3),
                    little-endian
``spheres``         ``{body, center, radius, side}``: what touches the floor
``sensors``         ``{name, body, position, rotation}``: the rotation a quaternion x, y, z, w
``forces``          names of the forces on the body
``muscles``         ``{name, points}``: each point a station, or a number: which path point of the frame
``path_points``     how many path points a frame has
``frame_floats``    numbers of a frame
==================  =========================================================================================

A frame is float32, little-endian:

==================  =========================================================================================
7 for each body     position x, y, z in ground, m; quaternion x, y, z, w
6 for each force    where it acts x, y, z, m; force on the body x, y, z, N; both in ground
1 for each muscle   activation, 0 to 1; NaN where it is not known
3 for each point    path points that are not fixed to a body (`Scene.path_points`), in ground, m; of a muscle
                    that runs around surfaces all points, and six more for each surface
==================  =========================================================================================
"""

from sspinn_opensim.viewer.frames import FrameMaker
from sspinn_opensim.viewer.scene import Scene, make_scene
from sspinn_opensim.viewer.script import scripts

__all__ = ["FrameMaker", "Scene", "make_scene", "scripts"]
