// The live page: takes what the stream tells (server-sent events) and draws it. Everything comes from the same address.

import { Chart, firstAfter, number } from "./chart.js";

const TIME = 0, DELAY = 1, FIRST = 3;
// Curves are drawn so often at most, ms; words are renewed so often.
const CURVES_EVERY_MS = 33, WORDS_EVERY_MS = 500, STALE_AFTER_MS = 500;
const WORDS = {
  waiting: "Waiting", estimating: "Estimating", bridging: "Estimating", withdrawn: "No estimate",
  lost: "No connection", ended: "Ended",
};
const SENSOR_STATES = { fine: "good", held: "gaps bridged", silent: "silent", missing: "never seen" };
const at = (id) => document.getElementById(id);

const page = {
  setup: null, rows: [], status: null, pose: null, viewer: null, charts: [], held: null, ended: false,
  arrived: 0, arrivedPose: 0, counts: { rows: 0, poses: 0, curves: 0 }, colours: {},
};
window.livePage = page;

function listen() {
  const source = new EventSource("events");
  const take = (kind, use) => source.addEventListener(kind, (event) => use(JSON.parse(event.data)));
  take("setup", begin);
  take("rows", takeRows);
  take("pose", (pose) => { page.pose = pose; page.arrivedPose = performance.now(); });
  take("status", (status) => { page.status = status; showStatus(); });
  take("happened", showEvent);
  take("end", () => { page.ended = true; source.close(); say("ended", "The stream has ended; the last seconds stay."); });
  source.onerror = () => { if (!page.ended) say("lost", "The stream does not answer. Is it still running?"); };
}

// A new connection tells everything again.
function begin(setup) {
  const same = page.setup && JSON.stringify(page.setup.groups) === JSON.stringify(setup.groups);
  page.setup = setup;
  page.rows = [];
  at("events").replaceChildren();
  document.title = `${setup.title}: live`;
  at("title").textContent = setup.title;
  at("about").textContent = `${setup.model} · ${number(setup.rate_hz)} frames a second`;
  if (!same) {
    makeChoices();
    makeCharts();
    makeViewer();
  }
}

function makeViewer() {
  const { scene, view } = page.setup;
  page.viewer?.dispose();
  page.viewer = null;
  at("figure").hidden = !scene;
  if (!scene) return;
  try {
    page.viewer = new SspinnViewer(at("scene"), scene);
  } catch (error) {
    at("scene").textContent = `The body cannot be drawn, as this browser has no WebGL: ${error.message}`;
    return;
  }
  page.viewer.view(view);
  at("view").value = view;
  at("scene-legend").replaceChildren(...[
    legend(make("i", { className: "key force" }), "ground force; 0.6 m are body weight"),
    scene.muscles.length ? legend("muscles at rest ", make("i", { className: "bar" }), "fully active") : "",
    scene.bones.length ? "" : legend("rods from joint to joint: no meshes of bones are at hand"),
  ].filter((part) => part !== ""));
}

function legend(...parts) {
  return make("span", {}, ...parts);
}

function takeRows(rows) {
  const last = page.rows.at(-1);
  if (last && rows[0][TIME] < last[TIME]) page.rows = []; // a sender has begun again
  page.rows.push(...rows);
  page.counts.rows += rows.length;
  page.arrived = performance.now();
  const most = page.setup.past_s * page.setup.rate_hz;
  if (page.rows.length > 1.5 * most) page.rows = page.rows.slice(-most);
}

// --- curves

function chosen() {
  const own = page.setup.groups.flatMap((group) => group.charts.map((chart) => [`${group.key}/${chart.key}`, chart.shown]));
  const kept = stored();
  return new Map(own.map(([key, shown]) => [key, key in kept ? kept[key] : shown]));
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem("curves")) || {};
  } catch {
    return {};
  }
}

function keep(key, shown) {
  try {
    localStorage.setItem("curves", JSON.stringify({ ...stored(), [key]: shown }));
  } catch { /* a browser that keeps nothing: the choice holds while the page is open */ }
}

function makeChoices() {
  const choice = chosen();
  at("choices").replaceChildren(...page.setup.groups.map((group) => {
    const set = make("fieldset", {}, make("legend", {}, group.title));
    for (const chart of group.charts) {
      const key = `${group.key}/${chart.key}`;
      const box = make("input", { type: "checkbox", checked: choice.get(key) });
      box.addEventListener("change", () => { choice.set(key, box.checked); keep(key, box.checked); makeCharts(choice); });
      set.append(make("label", { title: chart.title }, box, chart.title));
    }
    return set;
  }));
}

function makeCharts(choice = chosen()) {
  page.charts = [];
  const parts = [];
  for (const group of page.setup.groups) {
    const charts = group.charts.filter((chart) => choice.get(`${group.key}/${chart.key}`));
    const marks = charts.filter((chart) => chart.mark !== null).map((chart) => `, dotted: ${chart.mark_label}`);
    if (charts.length) parts.push(make("h3", {}, group.title, ...marks));
    for (const spec of charts) {
      const canvas = make("canvas", {}), now = make("span", { className: "now" });
      parts.push(make("figure", {},
        make("figcaption", {}, make("span", { className: "title", title: spec.title }, spec.title),
          make("span", { className: "unit" }, spec.unit), now),
        canvas));
      page.charts.push({ chart: new Chart(canvas, spec), spec, now });
    }
  }
  at("charts").replaceChildren(...parts);
}

function drawCurves(now) {
  if (!page.setup) return;
  const rows = page.held ?? page.rows, last = rows.at(-1);
  const span = Number(at("span").value), gap = 2.5 / page.setup.rate_hz;
  // Without an estimate time goes on, and the hatched part grows.
  const stale = now - page.arrived > STALE_AFTER_MS && !page.ended && !page.held;
  const to = last ? last[TIME] + (stale ? (now - page.arrived) / 1000 : 0) : span;
  const drawn = page.charts.filter(({ chart }) => chart.draw(rows, to, span, gap, page.colours, now));
  if (drawn.length) page.counts.curves += 1;
}

function showNumbers() {
  const last = page.rows.at(-1), stale = performance.now() - page.arrived > STALE_AFTER_MS;
  for (const { spec, now } of page.charts) {
    now.replaceChildren(...spec.curves.map(({ side, column }) => {
      const digits = { deg: 1, m: 3, "": 2 }[spec.unit] ?? 0;
      const text = last && !stale && last[FIRST + column] !== null ? number(last[FIRST + column], digits) : "–";
      return make("span", { className: side || "right", title: side }, ` ${text}`);
    }));
  }
}

// --- words

function say(state, text) {
  at("state").className = `state ${state}`;
  at("state-word").textContent = WORDS[state];
  at("state-text").textContent = text;
  at("scene").classList.toggle("stale", ["withdrawn", "lost", "waiting", "ended"].includes(state));
}

function showStatus() {
  const status = page.status;
  say(status.state, status.text);
  at("network").textContent = [status.network && `By ${status.network}`, status.muscles].filter(Boolean).join("; ");
  at("clock-heading").textContent = status.one_clock ? "Delay (ms)" : "Clock drift (ppm)";
  at("clock-heading").title = status.one_clock
    ? "By how much its quickest packets come later than the quickest of all" : "By how much its clock runs slow or fast";
  at("sensor-rows").replaceChildren(...status.sensors.map((sensor) => {
    const late = sensor.late && sensor.state === "fine";
    const sent = sensor.received + sensor.lost;
    const lost = sent ? `${number((100 * sensor.lost) / sent, 1)} %` : "–";
    return make("tr", { className: late ? "late" : sensor.state }, cell(sensor.name),
      cell(make("span", { className: "dot" }), late ? "late" : SENSOR_STATES[sensor.state], sensor.late),
      cell(number(sensor.rate_hz, 0)), cell(lost), cell(String(sensor.too_late)), cell(String(sensor.held)),
      cell(number(status.one_clock ? sensor.delay_ms : sensor.drift_ppm, 0)));
  }));
  const refused = Object.entries(status.refused).map(([reason, count]) => `${reason} (${count})`);
  const strange = status.sensors.filter((sensor) => sensor.strange).map((sensor) => `${sensor.name} (${sensor.strange})`);
  at("refused").textContent = [
    refused.length ? `Messages that were refused: ${refused.join(", ")}.` : "",
    strange.length ? `Samples whose time or axes could not be used: ${strange.join(", ")}.` : "",
  ].join(" ").trim();
  showDelays(status);
}

function showDelays(status) {
  const parts = Object.entries(page.setup.parts).filter(([part]) => part in status.latency_ms);
  at("delay-rows").replaceChildren(...parts.map(([part, what]) => {
    const values = status.latency_ms[part];
    const cells = ["p50", "p95", "p99"].map((key) => cell(number(values[key], values[key] < 10 ? 2 : values[key] < 100 ? 1 : 0)));
    return make("tr", { className: part === "total" ? "sum" : "" }, cell(part), ...cells,
      make("td", { className: "wrap" }, what));
  }));
  const total = status.latency_ms.total, limit = page.setup.limit_ms;
  if (!total) {
    at("verdict").textContent = "Nothing has been estimated in time yet.";
    return;
  }
  const holds = total.p99 <= limit;
  at("verdict").replaceChildren(
    make("b", { className: holds ? "good" : "bad" }, `99 of 100 frames are out within ${number(total.p99, 0)} ms.`),
    ` The limit for feedback is ${limit} ms${holds ? "" : ": too late for feedback"}.`);
  at("delay-note").textContent = "The network looks at the past alone and adds no delay of its own. "
    + (status.smoothing_ms ? `${number(status.smoothing_ms, 0)} ms of the total smooth sensors that are faster than the frames. ` : "")
    + "Sending and drawing this page comes on top.";
}

function showEvent(event) {
  const list = at("events");
  list.querySelector("li.soft")?.remove();
  list.prepend(make("li", { className: event.kind }, make("time", {}, event.clock), event.text));
  while (list.children.length > 100) list.lastChild.remove();
}

let counted = { at: performance.now(), pictures: 0 };
function showCounts(now) {
  const recent = page.setup ? page.rows.slice(firstAfter(page.rows, (page.rows.at(-1)?.[TIME] ?? 0) - 1)) : [];
  const delays = recent.map((row) => row[DELAY]).filter((value) => value !== null).sort((a, b) => a - b);
  const stale = now - page.arrived > STALE_AFTER_MS;
  at("delay").replaceChildren(...(delays.length && !stale
    ? [`${number(delays[delays.length >> 1], 0)} ms`, make("small", {}, ` of ${page.setup.limit_ms}`)] : ["–"]));
  at("frames").textContent = page.status ? `${number(page.status.frames_hz, 0)} /s` : "–";
  const pictures = page.viewer ? page.counts.poses : page.counts.curves;
  at("shown").textContent = `${number((1000 * (pictures - counted.pictures)) / (now - counted.at), 0)} /s`;
  counted = { at: now, pictures };
}

// --- the clock of the page

let drawnPose = null, drawnCurves = 0, saidWords = 0;
function draw(now) {
  if (page.viewer && page.pose && page.pose !== drawnPose) {
    drawnPose = page.pose;
    page.viewer.show(SspinnViewer.decode(page.pose));
    page.counts.poses += 1;
  }
  if (now - drawnCurves >= CURVES_EVERY_MS - 4) {
    drawnCurves = now;
    drawCurves(now);
  }
  if (now - saidWords >= WORDS_EVERY_MS) {
    saidWords = now;
    showNumbers();
    showCounts(now);
  }
  requestAnimationFrame(draw);
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "faint", "right", "left", "held", "late"]) {
    page.colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== ""));
  return element;
}

function cell(first, text = "", title = "") {
  return make("td", { title }, first, text);
}

at("hold").addEventListener("click", () => {
  page.held = page.held === null ? page.rows.slice() : null;
  at("hold").setAttribute("aria-pressed", String(page.held !== null));
  at("hold").textContent = page.held === null ? "Hold curves" : "Go on";
});
at("view").addEventListener("change", () => page.viewer?.view(at("view").value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
readColours();
listen();
requestAnimationFrame(draw);
