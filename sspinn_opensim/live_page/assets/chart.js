// A chart of the last seconds on a canvas: both sides of one quantity, and where the estimate is not what it should be.

const LEFT = 40, RIGHT = 6, TOP = 6, BOTTOM = 16;
const TIME = 0, STATE = 2, FIRST = 3;
export const HELD = 1, LATE = 2;
// An axis shrinks after so long, ms, during which less than this share of it was used.
const SHRINK_AFTER_MS = 1500, USED = 0.6;

export class Chart {
  constructor(canvas, spec) {
    this.canvas = canvas;
    this.spec = spec;
    this.low = Infinity;
    this.high = -Infinity;
    this.wide = 0;
  }

  /**
   * Draw rows (time, delay, state, numbers...) of the `span` up to a time; `gap` is the longest step without a gap.
   * Until they have moved by a pixel nothing is done: lines are most of what the page costs. Return whether it was.
   */
  draw(rows, now_s, span, gap, colours, now) {
    const ratio = window.devicePixelRatio || 1, box = this.canvas;
    const width = box.clientWidth, height = box.clientHeight;
    if (!width || !height) return false;
    // Whole pixels, so that the same rows fall into the same ones however often they are drawn.
    const pixel = span / (width - LEFT - RIGHT) / ratio, to = Math.ceil(now_s / pixel) * pixel, from = to - span;
    const drawn = [to, span, width, height, ratio, colours.ink].join();
    if (drawn === this.drawn) return false;
    this.drawn = drawn;
    if (box.width !== Math.round(width * ratio) || box.height !== Math.round(height * ratio)) {
      box.width = Math.round(width * ratio);
      box.height = Math.round(height * ratio);
    }
    const pen = box.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const first = firstAfter(rows, from);
    this.scale(rows, first, now);
    const x = (t) => LEFT + ((t - from) / (to - from)) * (width - LEFT - RIGHT);
    const y = (v) => height - BOTTOM - ((v - this.low) / (this.high - this.low)) * (height - TOP - BOTTOM);
    this.grid(pen, x, y, from, to, width, height, colours);
    spans(pen, rows, first, from, to, gap, x, height, colours);
    for (const curve of this.spec.curves) {
      const left = curve.side === "left";
      pen.strokeStyle = left ? colours.left : colours.right;
      pen.lineWidth = 1.8;
      pen.setLineDash(left ? [5, 2.5] : []);
      line(pen, rows, first, FIRST + curve.column, gap, (t) => Math.round(x(t) * ratio) / ratio, y);
    }
    pen.setLineDash([]);
    return true;
  }

  scale(rows, first, now) {
    let low = Infinity, high = -Infinity;
    for (const { column } of this.spec.curves) {
      for (let i = first; i < rows.length; i++) {
        const value = rows[i][FIRST + column];
        if (value === null) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (low > high) [low, high] = [0, 0];
    if (this.spec.mark !== null) high = Math.max(high, this.spec.mark * 1.05);
    const span = Math.max(high - low, this.spec.least_span), middle = (low + high) / 2;
    if (high - low < span) [low, high] = [middle - span / 2, middle + span / 2];
    this.step = roundStep((high - low) / 3);
    const outer = [Math.floor(low / this.step + 1e-9) * this.step, Math.ceil(high / this.step - 1e-9) * this.step];
    const needed = (outer[1] - outer[0]) / (this.high - this.low);
    if (!(needed < USED)) this.wide = now;
    if (outer[0] < this.low || outer[1] > this.high || now - this.wide > SHRINK_AFTER_MS) {
      const shrinks = now - this.wide > SHRINK_AFTER_MS || !Number.isFinite(this.low);
      [this.low, this.high] = shrinks ? outer : [Math.min(outer[0], this.low), Math.max(outer[1], this.high)];
      this.wide = now;
    }
    this.step = tickStep(this.low, this.high);
  }

  grid(pen, x, y, from, to, width, height, colours) {
    pen.font = "10.5px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.lineWidth = 1;
    for (let k = Math.ceil(this.low / this.step - 1e-9); k * this.step <= this.high + 1e-9 * this.step; k++) {
      const value = k * this.step, at = Math.round(y(value)) + 0.5;
      pen.strokeStyle = k === 0 ? colours.soft : colours.faint;
      pen.beginPath();
      pen.moveTo(LEFT, at);
      pen.lineTo(width - RIGHT, at);
      pen.stroke();
      pen.fillStyle = colours.soft;
      pen.fillText(number(value), LEFT - 5, at);
    }
    const every = to - from > 12 ? 5 : to - from > 6 ? 2 : 1;
    pen.textBaseline = "alphabetic";
    for (let back = 0; back < to - from - 1e-9; back += every) {
      const at = x(to - back);
      pen.textAlign = back ? "center" : "right";
      pen.fillText(back ? `−${back}` : "now", back ? at : at + RIGHT, height - 3);
      pen.strokeStyle = colours.faint;
      pen.beginPath();
      pen.moveTo(Math.round(at) + 0.5, TOP);
      pen.lineTo(Math.round(at) + 0.5, height - BOTTOM);
      pen.stroke();
    }
    pen.textAlign = "left";
    pen.fillText("s", LEFT - 12, height - 3);
    if (this.spec.mark !== null) {
      const at = y(this.spec.mark);
      pen.strokeStyle = colours.soft;
      pen.setLineDash([2, 3]);
      pen.beginPath();
      pen.moveTo(LEFT, at);
      pen.lineTo(width - RIGHT, at);
      pen.stroke();
      pen.setLineDash([]);
    }
  }
}

/** Return the place of the first row after a time. */
export function firstAfter(rows, time) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][TIME] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Hatch where there is no estimate, and mark below where gaps were bridged or the estimate came after its time. */
function spans(pen, rows, first, from, to, gap, x, height, colours) {
  let before = first > 0 ? Math.max(rows[first - 1][TIME], from) : null;
  for (let i = first; i <= rows.length; i++) {
    const at = i < rows.length ? rows[i][TIME] : to;
    if (before !== null && at - before > (i < rows.length ? gap : Math.max(gap, 0.5))) {
      hatch(pen, x(before), x(at), TOP, height - BOTTOM, colours.faint);
    }
    if (i < rows.length && rows[i][STATE]) {
      const end = i + 1 < rows.length && rows[i + 1][TIME] - at <= gap ? rows[i + 1][TIME] : at + gap / 2;
      pen.fillStyle = rows[i][STATE] === HELD ? colours.held : colours.late;
      pen.fillRect(x(at), height - BOTTOM - 4, Math.max(x(end) - x(at), 1), 4);
    }
    before = at;
  }
}

function hatch(pen, from, to, top, bottom, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(from, top, to - from, bottom - top);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  for (let at = from - (bottom - top); at < to; at += 7) {
    pen.moveTo(at, bottom);
    pen.lineTo(at + bottom - top, top);
  }
  pen.stroke();
  pen.restore();
}

/** Draw one column; of many rows in one pixel the least and the largest. */
function line(pen, rows, first, column, gap, x, y) {
  pen.beginPath();
  let before = -Infinity, pixel = NaN, low = 0, high = 0;
  const flush = () => {
    if (high > low) {
      pen.lineTo(pixel, y(low));
      pen.lineTo(pixel, y(high));
    }
  };
  for (let i = first; i < rows.length; i++) {
    const time = rows[i][TIME], value = rows[i][column], at = x(time);
    if (value === null) continue; // a gap of the curve, as `before` stays where it is
    if (at === pixel && time - before <= gap) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    } else {
      flush();
      if (time - before > gap) pen.moveTo(at, y(value));
      else pen.lineTo(at, y(value));
      pixel = at;
      low = high = value;
    }
    before = time;
  }
  flush();
  pen.stroke();
}

/** Return a round step with two ticks or more within an axis: from -40 to 40 not 50. */
function tickStep(low, high) {
  const step = roundStep((high - low) / 3);
  const beyondFirst = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9);
  return beyondFirst >= 1 ? step : roundStep(step / 2.5);
}

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
}

export function number(value, digits) {
  const text = digits === undefined ? String(Number(value.toPrecision(6))) : value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}
