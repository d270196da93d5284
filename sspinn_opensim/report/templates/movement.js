(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("movement-data").textContent);
  const play = at("play"), slider = at("frame"), speed = at("speed"), clock = at("clock");
  const frames = data.time_s.length, floats = data.scene.frame_floats;
  const numbers = SspinnViewer.decode(data.frames);
  const duration = data.time_s[frames - 1] - data.time_s[0] + (frames > 1 ? data.time_s[1] - data.time_s[0] : 0);
  const cursors = [...document.querySelectorAll("svg[data-from]")].map((svg) => ({
    line: svg.querySelector(".cursor"), from: +svg.dataset.from, to: +svg.dataset.to,
  }));
  let viewer = null;
  try {
    viewer = new SspinnViewer(at("viewer"), data.scene);
    at("stage").classList.add("live");
  } catch (error) {
    // No WebGL: the postures in a row stay, and the time still runs through the charts.
    at("no-webgl").hidden = false;
    for (const control of document.querySelectorAll(".of-viewer")) control.hidden = true;
  }

  function show(frame) {
    if (viewer) viewer.show(numbers.subarray(frame * floats, (frame + 1) * floats));
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
    const frame = nearestFrame(elapsed);
    if (frame !== +slider.value) show(frame);
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
  speed.addEventListener("change", () => { if (playing) start(); });
  if (viewer) {
    for (const button of document.querySelectorAll("button[data-view]")) {
      button.addEventListener("click", () => viewer.view(button.dataset.view));
    }
    at("fit").addEventListener("click", () => viewer.fit());
    at("follow").addEventListener("change", (event) => { viewer.follow = event.target.checked; });
    for (const box of document.querySelectorAll("input[data-part]")) {
      box.addEventListener("change", () => viewer.visible(box.dataset.part, box.checked));
    }
  }
  show(0);
  if (playing) start(); else play.textContent = "Play";
})();
