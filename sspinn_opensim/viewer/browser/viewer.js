// A body in three dimensions: SspinnViewer(container, scene).show(frame). sspinn_opensim/viewer/__init__.py has
// the format of scenes and frames. Needs THREE (three.min.js); asks for nothing else.
const SspinnViewer = (() => {
  "use strict";
  const {
    AmbientLight, BufferAttribute, BufferGeometry, BoxGeometry, Color, ConeGeometry, CylinderGeometry, DirectionalLight,
    DynamicDrawUsage, LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshLambertMaterial,
    OrbitControls, PerspectiveCamera, Quaternion, Scene, SphereGeometry, Vector3, WebGLRenderer,
  } = THREE;

  const FORMAT = 1;
  const THEMES = {
    light: {
      paper: 0xf6f8fa, grid: 0xc3ccd5, bone: 0xeae0c8, r: 0x0072b2, l: 0xd55e00, middle: 0x5b6673, sphere: 0x9aa4af,
      force: 0x007a5a, sensor: 0x1c2530, rest: 0x4059ad, work: 0xe02020, unknown: 0x8a9199,
    },
    dark: {
      paper: 0x1a222b, grid: 0x3d4956, bone: 0xd8cfb8, r: 0x56b4e9, l: 0xe69f00, middle: 0x9fabb8, sphere: 0x7b8794,
      force: 0x35c295, sensor: 0xe6ebf0, rest: 0x6f8cff, work: 0xff4040, unknown: 0x6e7883,
    },
  };
  const VIEWS = { side: [0, 0.08, 1], front: [1, 0.08, 0], oblique: [0.5, 0.25, 1] };
  // m: radius of a muscle, of a force's arrow; edges of a sensor's box; length of the arrow of body weight.
  const MUSCLE_M = 0.0045, ARROW_M = 0.013, SENSOR_M = [0.045, 0.03, 0.014], WEIGHT_M = 0.6;
  // The floor's lines reach so far, m.
  const FLOOR_M = 5;
  // How much of the colour of its side a bone has.
  const TINGE = 0.22;
  // Forces below this share of body weight have no arrow.
  const LEAST_FORCE = 0.02;
  // ms a frame may take on average; where it takes longer there are fewer pixels, down to this share of each edge,
  // and more again where it takes less than half of that.
  const LONGEST_MS = 26, FEWEST_PIXELS = 0.5;

  function bytes(base64) {
    const text = atob(base64), found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found.buffer;
  }

  /** Write the matrix that turns a unit rod along y into one from a to b. */
  function stretch(out, at, ax, ay, az, bx, by, bz, radius) {
    let x = bx - ax, y = by - ay, z = bz - az;
    const length = Math.sqrt(x * x + y * y + z * z);
    out.fill(0, at, at + 16);
    if (!(length > 1e-5)) { out[at + 15] = 1; return 0; }
    x /= length; y /= length; z /= length;
    // any direction across
    let px = 0, py = z, pz = -y;
    if (Math.abs(x) > 0.9) { px = -z; py = 0; pz = x; }
    const p = radius / Math.sqrt(px * px + py * py + pz * pz);
    px *= p; py *= p; pz *= p;
    out[at] = px; out[at + 1] = py; out[at + 2] = pz;
    out[at + 4] = x * length; out[at + 5] = y * length; out[at + 6] = z * length;
    // right-handed, so that what is outside stays outside
    out[at + 8] = py * z - pz * y; out[at + 9] = pz * x - px * z; out[at + 10] = px * y - py * x;
    out[at + 12] = (ax + bx) / 2; out[at + 13] = (ay + by) / 2; out[at + 14] = (az + bz) / 2; out[at + 15] = 1;
    return length;
  }

  /** Whether the processor draws: then smooth edges cost too much. */
  function withoutGraphicsCard() {
    const gl = document.createElement("canvas").getContext("webgl2");
    if (!gl) return false;
    const about = gl.getExtension("WEBGL_debug_renderer_info");
    const name = String(gl.getParameter(about ? about.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    return /swiftshader|llvmpipe|software|basic render/i.test(name);
  }

  /**
   * Rigid pieces in one mesh, each with a matrix (`matrices`, 16 numbers as three.js has them) and a colour.
   * Without a graphics card a mesh of its own takes as long as 500 triangles, and so do 20 instances of a shape.
   */
  class Pieces extends Mesh {
    constructor(shapes, material) {
      const starts = [0], corners = [];
      for (const { attributes: { position } } of shapes) starts.push(starts.at(-1) + position.count);
      const count = starts.at(-1), geometry = new BufferGeometry();
      const joined = (name) => {
        const found = new Float32Array(3 * count);
        shapes.forEach(({ attributes }, i) => found.set(attributes[name].array, 3 * starts[i]));
        return found;
      };
      for (const [name, kind, normalized] of [["position", Float32Array], ["normal", Float32Array], ["color", Uint8Array, true]]) {
        geometry.setAttribute(name, new BufferAttribute(new kind(3 * count), 3, normalized).setUsage(DynamicDrawUsage));
      }
      shapes.forEach(({ index }, i) => index.array.forEach((corner) => corners.push(corner + starts[i])));
      geometry.setIndex(corners);
      super(geometry, material);
      this.frustumCulled = false;
      this.starts = starts;
      this.matrices = new Float32Array(16 * shapes.length);
      this.points = joined("position");
      this.normals = joined("normal");
    }

    paint(piece, colour) {
      const { array } = this.geometry.attributes.color, [r, g, b] = colour.toArray().map((part) => Math.round(255 * part));
      for (let i = 3 * this.starts[piece]; i < 3 * this.starts[piece + 1]; i += 3) {
        array[i] = r; array[i + 1] = g; array[i + 2] = b;
      }
      this.geometry.attributes.color.needsUpdate = true;
    }

    /** Put all points where the matrices say. */
    move() {
      const { points, normals, starts, matrices: m } = this, { position, normal } = this.geometry.attributes;
      const to = position.array, across = normal.array;
      for (let piece = 0, k = 0; k < m.length; piece++, k += 16) {
        const ax = m[k], ay = m[k + 1], az = m[k + 2], bx = m[k + 4], by = m[k + 5], bz = m[k + 6];
        const cx = m[k + 8], cy = m[k + 9], cz = m[k + 10], x = m[k + 12], y = m[k + 13], z = m[k + 14];
        // What is stretched along an axis has normals that are pressed along it.
        const a = 1 / (ax * ax + ay * ay + az * az || 1), b = 1 / (bx * bx + by * by + bz * bz || 1), c = 1 / (cx * cx + cy * cy + cz * cz || 1);
        for (let i = 3 * starts[piece]; i < 3 * starts[piece + 1]; i += 3) {
          const p = points[i], q = points[i + 1], r = points[i + 2];
          to[i] = ax * p + bx * q + cx * r + x;
          to[i + 1] = ay * p + by * q + cy * r + y;
          to[i + 2] = az * p + bz * q + cz * r + z;
          const u = a * normals[i], v = b * normals[i + 1], w = c * normals[i + 2];
          across[i] = ax * u + bx * v + cx * w;
          across[i + 1] = ay * u + by * v + cy * w;
          across[i + 2] = az * u + bz * v + cz * w;
        }
      }
      position.needsUpdate = normal.needsUpdate = true;
    }
  }

  class SspinnViewer {
    /** Draw `scene` in the element `container`; throws where there is no WebGL. */
    constructor(container, scene, options = {}) {
      if (scene.format !== FORMAT) throw new Error("The scene is of another format.");
      this.scene = scene;
      this.container = container;
      this.follow = options.follow !== false;
      this._slow = withoutGraphicsCard();
      this._renderer = new WebGLRenderer({ antialias: !this._slow, powerPreference: "high-performance" });
      this._canvas = this._renderer.domElement;
      this._canvas.tabIndex = 0;
      this._canvas.setAttribute("role", "img");
      this._canvas.setAttribute("aria-label", "The body in three dimensions");
      this._canvas.style.cssText = "display:block;width:100%;height:100%;outline-offset:-2px;touch-action:pan-y";
      container.append(this._canvas);
      this._world = new Scene();
      this._camera = new PerspectiveCamera(32, 1, 0.05, 100);
      this._controls = new OrbitControls(this._camera, this._canvas);
      this._controls.addEventListener("change", () => this._draw());
      // The wheel scrolls the page until the picture is clicked at.
      this._onWheel = (event) => {
        if (document.activeElement !== this._canvas && !event.ctrlKey) event.stopImmediatePropagation();
      };
      container.addEventListener("wheel", this._onWheel, { capture: true, passive: true });
      this._share = 1;
      this._spent = [];
      this._transforms = new Float32Array(12 * scene.bodies.length);
      this._place = new Float32Array(3);
      this._matrix = new Matrix4();
      this._root = null;
      this._build();
      this._scheme = window.matchMedia("(prefers-color-scheme: dark)");
      this._onScheme = () => { if (this._theme === "auto") this.theme("auto"); };
      this._scheme.addEventListener("change", this._onScheme);
      this.theme(options.theme || "auto");
      this._watch = new ResizeObserver(() => this.resize());
      this._watch.observe(container);
      this.resize();
      this.view("oblique");
    }

    /** Return the numbers of base64 text, as Python's `FrameMaker.frames` made them. */
    static decode(base64) { return new Float32Array(bytes(base64)); }

    _build() {
      const { scene } = this;
      this._world.add(new AmbientLight(0xffffff, 1.3));
      for (const [x, y, z, strength] of [[1, 2, 1.5, 1.7], [-1.5, 0.5, -1, 0.6]]) {
        const light = new DirectionalLight(0xffffff, strength);
        light.position.set(x, y, z);
        this._world.add(light);
      }
      this._parts = {};
      const part = (name, ...things) => {
        this._parts[name] = things;
        this._world.add(...things);
        return things;
      };
      const pieces = (shapes, about) => new Pieces(shapes, new MeshLambertMaterial({ vertexColors: true, ...about }));
      const many = (shape, count, about) => pieces(Array(count).fill(shape), about);
      const rod = (sides) => new CylinderGeometry(1, 1, 1, sides, 1, true), ball = new SphereGeometry(1, 12, 8);

      [this._bones] = part("bones", pieces(scene.bones.map(({ points, triangles }) => {
        const shape = new BufferGeometry();
        shape.setAttribute("position", new BufferAttribute(new Float32Array(bytes(points)), 3));
        shape.setIndex(new BufferAttribute(new Uint32Array(bytes(triangles)), 1));
        shape.computeVertexNormals();
        return shape;
      })));
      [this._rods, this._knobs] = part("links", many(rod(10), scene.links.length), many(ball, 2 * scene.links.length));
      [this._spheres] = part("spheres",
        many(ball, scene.spheres.length, { transparent: true, opacity: 0.45, depthWrite: false }));
      [this._sensors] = part("sensors", many(new BoxGeometry(...SENSOR_M), scene.sensors.length));
      const segments = scene.muscles.reduce((sum, muscle) => sum + Math.max(muscle.points.length - 1, 0), 0);
      [this._muscles] = part("muscles", many(rod(4), segments));
      [this._shafts, this._tips] = part("forces", many(rod(8), scene.forces.length),
        many(new ConeGeometry(1, 1, 12), scene.forces.length));
      [this._floor] = part("floor", this._grid(FLOOR_M));
      this._sensorFrames = scene.sensors.map(({ position, rotation }) =>
        new Matrix4().compose(new Vector3(...position), new Quaternion(...rotation), new Vector3(1, 1, 1)));
    }

    _grid(reach) {
      // In short lines: without a graphics card one that ends behind the camera is not drawn at all.
      const ends = [];
      for (let across = -reach; across <= reach; across += 0.5) {
        for (let k = -reach; k < reach; k++) ends.push(across, 0, k, across, 0, k + 1, k, 0, across, k + 1, 0, across);
      }
      const lines = new BufferGeometry();
      lines.setAttribute("position", new BufferAttribute(new Float32Array(ends), 3));
      const grid = new LineSegments(lines, new LineBasicMaterial());
      grid.position.y = this.scene.floor_m;
      return grid;
    }

    /** "light", "dark", or "auto": as the browser is set. */
    theme(name) {
      this._theme = name;
      const dark = name === "dark" || (name === "auto" && this._scheme.matches);
      const colours = this._colours = THEMES[dark ? "dark" : "light"];
      this._world.background = new Color(colours.paper);
      this._floor.material.color.set(colours.grid);
      const { scene } = this, colour = (name, other) => new Color(colours[name] ?? colours[other]);
      scene.bones.forEach(({ side }, i) =>
        this._bones.paint(i, colour("bone").lerp(colour(side, "bone"), TINGE)));
      scene.links.forEach(({ side }, i) => {
        this._rods.paint(i, colour(side, "middle"));
        for (const end of [2 * i, 2 * i + 1]) this._knobs.paint(end, colour(side, "middle"));
      });
      scene.spheres.forEach(({ side }, i) => this._spheres.paint(i, colour(side, "sphere")));
      scene.sensors.forEach((_, i) => this._sensors.paint(i, colour("sensor")));
      scene.forces.forEach((_, i) => { for (const arrow of [this._shafts, this._tips]) arrow.paint(i, colour("force")); });
      this._rest = new Color(colours.rest);
      this._work = new Color(colours.work);
      this._unknown = new Color(colours.unknown);
      if (this._frame) this.show(this._frame); else this._draw();
    }

    /** Show or hide "bones", "links", "spheres", "muscles", "forces", "sensors" or "floor". */
    visible(part, shown) {
      for (const thing of this._parts[part] || []) thing.visible = shown;
      this._draw();
    }

    /** Draw a frame: Float32Array of scene.frame_floats numbers. */
    show(frame) {
      if (frame.length !== this.scene.frame_floats) throw new Error("The frame is not of this scene.");
      this._frame = frame;
      this._placeBodies(frame);
      this._placeLinks();
      this._placeSpheres();
      this._placeSensors();
      const forces = 7 * this.scene.bodies.length, muscles = forces + 6 * this.scene.forces.length;
      this._placeForces(frame, forces);
      this._placeMuscles(frame, muscles, muscles + this.scene.muscles.length);
      this._goAlong(frame);
      this._draw();
    }

    _placeBodies(frame) {
      const to = this._transforms;
      for (let i = 0; i < this.scene.bodies.length; i++) {
        const k = 7 * i, t = 12 * i;
        const x = frame[k + 3], y = frame[k + 4], z = frame[k + 5], w = frame[k + 6];
        to[t] = 1 - 2 * (y * y + z * z); to[t + 1] = 2 * (x * y - z * w); to[t + 2] = 2 * (x * z + y * w);
        to[t + 3] = 2 * (x * y + z * w); to[t + 4] = 1 - 2 * (x * x + z * z); to[t + 5] = 2 * (y * z - x * w);
        to[t + 6] = 2 * (x * z - y * w); to[t + 7] = 2 * (y * z + x * w); to[t + 8] = 1 - 2 * (x * x + y * y);
        to[t + 9] = frame[k]; to[t + 10] = frame[k + 1]; to[t + 11] = frame[k + 2];
      }
      this.scene.bones.forEach(({ body }, i) => this._toMatrix(this._matrix, body).toArray(this._bones.matrices, 16 * i));
      this._bones.move();
    }

    _toMatrix(matrix, body) {
      if (body < 0) return matrix.identity();
      const t = 12 * body, m = this._transforms;
      return matrix.set(m[t], m[t + 1], m[t + 2], m[t + 9], m[t + 3], m[t + 4], m[t + 5], m[t + 10],
        m[t + 6], m[t + 7], m[t + 8], m[t + 11], 0, 0, 0, 1);
    }

    /** Put the place in ground of a point of a body into this._place. */
    _put(body, x, y, z) {
      const at = this._place, m = this._transforms, t = 12 * body;
      if (body < 0) { at[0] = x; at[1] = y; at[2] = z; return at; }
      at[0] = m[t] * x + m[t + 1] * y + m[t + 2] * z + m[t + 9];
      at[1] = m[t + 3] * x + m[t + 4] * y + m[t + 5] * z + m[t + 10];
      at[2] = m[t + 6] * x + m[t + 7] * y + m[t + 8] * z + m[t + 11];
      return at;
    }

    _ball(mesh, i, [x, y, z], radius) {
      const out = mesh.matrices, at = 16 * i;
      out.fill(0, at, at + 16);
      out[at] = out[at + 5] = out[at + 10] = radius;
      out[at + 12] = x; out[at + 13] = y; out[at + 14] = z; out[at + 15] = 1;
    }

    _placeLinks() {
      const { links } = this.scene, out = this._rods.matrices;
      for (let i = 0; i < links.length; i++) {
        const [ax, ay, az] = this._put(...links[i].from);
        const [bx, by, bz] = this._put(...links[i].to);
        const radius = Math.min(Math.max(0.08 * Math.hypot(bx - ax, by - ay, bz - az), 0.008), 0.03);
        stretch(out, 16 * i, ax, ay, az, bx, by, bz, radius);
        this._ball(this._knobs, 2 * i, [ax, ay, az], radius);
        this._ball(this._knobs, 2 * i + 1, [bx, by, bz], radius);
      }
      this._rods.move();
      this._knobs.move();
    }

    _placeSpheres() {
      this.scene.spheres.forEach(({ body, center, radius }, i) =>
        this._ball(this._spheres, i, this._put(body, ...center), radius));
      this._spheres.move();
    }

    _placeSensors() {
      this.scene.sensors.forEach(({ body }, i) =>
        this._toMatrix(this._matrix, body).multiply(this._sensorFrames[i]).toArray(this._sensors.matrices, 16 * i));
      this._sensors.move();
    }

    _placeForces(frame, start) {
      const shafts = this._shafts.matrices, tips = this._tips.matrices;
      const metres = WEIGHT_M / this.scene.weight_n, head = 3.2 * ARROW_M;
      for (let i = 0; i < this.scene.forces.length; i++) {
        const k = start + 6 * i, x = frame[k], y = frame[k + 1], z = frame[k + 2];
        const fx = frame[k + 3] * metres, fy = frame[k + 4] * metres, fz = frame[k + 5] * metres;
        const length = Math.hypot(fx, fy, fz), share = length >= LEAST_FORCE * WEIGHT_M ? Math.max(length - head, 0) / length : 0;
        if (!share) { shafts.fill(0, 16 * i, 16 * i + 16); tips.fill(0, 16 * i, 16 * i + 16); continue; }
        const mx = x + fx * share, my = y + fy * share, mz = z + fz * share;
        stretch(shafts, 16 * i, x, y, z, mx, my, mz, ARROW_M * 0.55);
        stretch(tips, 16 * i, mx, my, mz, x + fx, y + fy, z + fz, ARROW_M * 1.5);
      }
      this._shafts.move();
      this._tips.move();
    }

    _placeMuscles(frame, activations, points) {
      const out = this._muscles.matrices, colour = this._colour ??= new Color();
      let segment = 0;
      this.scene.muscles.forEach((muscle, i) => {
        const active = frame[activations + i];
        if (Number.isNaN(active)) colour.copy(this._unknown);
        else colour.lerpColors(this._rest, this._work, Math.min(Math.max(active, 0), 1));
        let ax = 0, ay = 0, az = 0;
        muscle.points.forEach((point, j) => {
          let x, y, z;
          if (typeof point === "number") {
            const k = points + 3 * point;
            x = frame[k]; y = frame[k + 1]; z = frame[k + 2];
          } else [x, y, z] = this._put(...point);
          if (j) {
            stretch(out, 16 * segment, ax, ay, az, x, y, z, MUSCLE_M);
            this._muscles.paint(segment++, colour);
          }
          ax = x; ay = y; az = z;
        });
      });
      this._muscles.move();
    }

    _goAlong(frame) {
      const k = 7 * this.scene.root, root = [frame[k], frame[k + 2]];
      if (this._root && this.follow) this._shift(root[0] - this._root[0], root[1] - this._root[1]);
      const first = this._root === null;
      this._root = root;
      if (first) this.view(this._view);
      this._floor.position.x = Math.round(this._controls.target.x);
      this._floor.position.z = Math.round(this._controls.target.z);
    }

    _shift(x, z) {
      for (const place of [this._camera.position, this._controls.target]) { place.x += x; place.z += z; }
    }

    /** Look from the "side", the "front" or "oblique", at the whole person. */
    view(name) {
      this._view = name;
      this._look(new Vector3(...VIEWS[name]));
    }

    /** The whole person in the picture, from where the camera is now. */
    fit() { this._look(this._camera.position.clone().sub(this._controls.target)); }

    _look(direction) {
      const [low, high] = this.scene.box, k = 7 * this.scene.root;
      const middle = new Vector3((low[0] + high[0]) / 2, (Math.min(low[1], this.scene.floor_m) + high[1]) / 2, (low[2] + high[2]) / 2);
      if (this._frame) { middle.x = this._frame[k]; middle.z = this._frame[k + 2]; }
      const tall = high[1] - Math.min(low[1], this.scene.floor_m), wide = Math.max(high[0] - low[0], high[2] - low[2], 0.6 * tall);
      const half = Math.tan((this._camera.fov * Math.PI) / 360);
      const distance = Math.max(0.55 * tall / half, 0.55 * wide / half / this._camera.aspect) + 0.1 * tall;
      this._controls.target.copy(middle);
      this._camera.position.copy(direction.normalize().multiplyScalar(distance).add(middle));
      this._controls.update();
      this._draw();
    }

    /** Take the size that the container has now. */
    resize() {
      const width = this.container.clientWidth, height = this.container.clientHeight;
      if (!width || !height) return;
      this._renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2) * this._share);
      this._renderer.setSize(width, height, false);
      this._camera.aspect = width / height;
      this._camera.updateProjectionMatrix();
      this._draw();
    }

    /** Draw once before the browser paints, however often it is asked for. */
    _draw() {
      if (this._asked || this._gone) return;
      this._asked = requestAnimationFrame(() => {
        this._asked = null;
        const began = performance.now();
        this._renderer.render(this._world, this._camera);
        this._spare(began);
      });
    }

    /** Without a graphics card: draw fewer pixels where drawing takes too long. A pixel read back waits for all. */
    _spare(began) {
      if (!this._slow) return;
      const gl = this._renderer.getContext();
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, this._pixel ??= new Uint8Array(4));
      this._spent.push(performance.now() - began);
      if (this._spent.length < 12) return;
      const usual = this._spent.sort((a, b) => a - b)[6];
      this._spent = [];
      const wanted = usual > LONGEST_MS ? 0.8 * this._share : usual < LONGEST_MS / 2 ? 1.25 * this._share : this._share;
      const share = Math.min(Math.max(wanted, FEWEST_PIXELS), 1);
      if (share === this._share) return;
      this._share = share;
      this.resize();
    }

    /** Take the viewer off the page. */
    dispose() {
      this._gone = true;
      if (this._asked) cancelAnimationFrame(this._asked);
      this._watch.disconnect();
      this._scheme.removeEventListener("change", this._onScheme);
      this.container.removeEventListener("wheel", this._onWheel, { capture: true });
      this._controls.dispose();
      this._world.traverse((thing) => { thing.geometry?.dispose(); thing.material?.dispose(); });
      this._renderer.dispose();
      this._canvas.remove();
    }
  }
  return SspinnViewer;
})();
