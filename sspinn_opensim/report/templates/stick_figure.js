(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("stick-figure-data").textContent);
  const canvas = document.getElementById("stick-figure");
  const play = document.getElementById("play");
  const slider = document.getElementById("frame");
  const speed = document.getElementById("speed");
  const clock = document.getElementById("clock");
  const context = canvas.getContext("2d");
  const frames = data.time_s.length;
  const duration = data.time_s[frames - 1] - data.time_s[0] + (frames > 1 ? data.time_s[1] - data.time_s[0] : 0);
  const cursors = [...document.querySelectorAll("svg[data-from]")].map((svg) => ({
    line: svg.querySelector(".cursor"), from: +svg.dataset.from, to: +svg.dataset.to,
  }));
  const names = Object.keys(data.points);
  const forceNames = Object.keys(data.forces);
  let top = -Infinity, strongest = 1;
  for (const name of names) for (const [, y] of data.points[name]) top = Math.max(top, y);
  for (const name of forceNames) for (const [x, y] of data.forces[name].force) strongest = Math.max(strongest, Math.hypot(x, y));

  const colour = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  const sideColour = (name) => (/_l(?![a-z])/.test(name) ? colour("--left") : /_r(?![a-z])/.test(name) ? colour("--estimate") : colour("--ink"));

  function draw(frame) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const floor = height * 0.9, scale = (floor - height * 0.06) / Math.max(top, 0.5);
    const centre = data.points[data.centre][frame][0];
    const place = ([x, y]) => [width / 2 + (x - centre) * scale, floor - y * scale];

    context.lineWidth = 1;
    context.strokeStyle = colour("--soft");
    context.fillStyle = colour("--soft");
    context.font = "11px sans-serif";
    context.textAlign = "center";
    context.beginPath();
    context.moveTo(0, floor);
    context.lineTo(width, floor);
    const reach = width / 2 / scale;
    for (let metre = Math.ceil((centre - reach) * 2) / 2; metre < centre + reach; metre += 0.5) {
      const [x] = place([metre, 0]);
      context.moveTo(x, floor);
      context.lineTo(x, floor + (metre % 1 ? 4 : 8));
      if (metre % 1 === 0) context.fillText(metre + " m", x, floor + 20);
    }
    context.stroke();

    context.lineCap = "round";
    const far = (segment) => (/_l(?![a-z])/.test(segment[0] + segment[1]) ? 0 : 1);
    for (const [a, b] of [...data.segments].sort((p, q) => far(p) - far(q))) {
      const [x1, y1] = place(data.points[a][frame]), [x2, y2] = place(data.points[b][frame]);
      context.strokeStyle = sideColour(/_[rl](?![a-z])/.test(b) ? b : a);
      context.lineWidth = Math.max(3, scale * 0.028);
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    }
    for (const name of forceNames) {
      const force = data.forces[name].force[frame];
      if (Math.hypot(...force) < 0.02 * strongest) continue;
      const metres = 0.75 / strongest;
      const [x1, y1] = place(data.forces[name].point[frame]);
      const x2 = x1 + force[0] * metres * scale, y2 = y1 - force[1] * metres * scale;
      const angle = Math.atan2(y2 - y1, x2 - x1);
      context.strokeStyle = context.fillStyle = colour("--good");
      context.lineWidth = 2.5;
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
      context.beginPath();
      context.moveTo(x2 + 9 * Math.cos(angle), y2 + 9 * Math.sin(angle));
      for (const turn of [2.4, -2.4]) context.lineTo(x2 + 7 * Math.cos(angle + turn), y2 + 7 * Math.sin(angle + turn));
      context.fill();
    }
  }

  function show(frame) {
    draw(frame);
    slider.value = frame;
    const time = data.time_s[frame];
    const phase = data.cycle_s ? ((((time - data.start_s) / data.cycle_s) % 1) + 1) % 1 * 100 : null;
    clock.textContent = time.toFixed(2) + " s" + (phase === null ? "" : " \u00b7 " + phase.toFixed(0) + " % of cycle");
    const value = phase === null ? time : phase;
    for (const { line, from, to } of cursors) {
      line.setAttribute("visibility", value >= from && value <= to ? "visible" : "hidden");
      const x = data.chart.left + ((value - from) / (to - from)) * data.chart.width;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
  }

  let playing = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  let clockStart = null, offset = 0;
  function nearestFrame(elapsed) {
    const time = data.time_s[0] + elapsed;
    let low = 0, high = frames - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.time_s[middle] <= time) low = middle; else high = middle - 1;
    }
    return low;
  }
  function tick(now) {
    if (!playing) return;
    if (clockStart === null) clockStart = now;
    const elapsed = (offset + ((now - clockStart) / 1000) * +speed.value) % duration;
    show(nearestFrame(elapsed));
    requestAnimationFrame(tick);
  }
  function start() {
    offset = data.time_s[+slider.value] - data.time_s[0];
    clockStart = null;
    play.textContent = "Pause";
    requestAnimationFrame(tick);
  }
  play.addEventListener("click", () => {
    playing = !playing;
    if (playing) start(); else play.textContent = "Play";
  });
  slider.addEventListener("input", () => {
    playing = false;
    play.textContent = "Play";
    show(+slider.value);
  });
  speed.addEventListener("change", () => { if (playing) { offset = data.time_s[+slider.value] - data.time_s[0]; clockStart = null; } });
  window.addEventListener("resize", () => show(+slider.value));
  show(0);
  if (playing) start(); else play.textContent = "Play";
})();
