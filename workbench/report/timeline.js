"use strict";
// Times are nanoseconds from the beginning. The view lives in the address after "#", so that it can be kept and sent.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("lanes"), overview = element("overview");
const ROW = 19, TITLE = 20, STRIP = 7, SPACE = 8, AXIS = 22, HAND_OVER = -1;
const TYPES = { u2: Uint16Array, i4: Int32Array, f8: Float64Array };

function columns(packed) {
  return Object.fromEntries(Object.entries(packed).map(([name, [type, text]]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return [name, new TYPES[type](bytes.buffer)];
  }));
}

const spans = columns(data.spans), path = columns(data.path), gaps = columns(data.gaps);
const isWait = data.names.map((name) => data.waits.includes(name));
const state = { from: 0, to: data.wall, span: -1, gap: -1, path: true };
let colours = {}, shape = [], drag = null;

// Spans by lane and depth, gaps by lane; each list is sorted by time and its members do not overlap.
const rows = data.lanes.map(() => []), gapsOf = data.lanes.map(() => []);
for (let i = 0; i < spans.lane.length; i++) {
  const lane = rows[spans.lane[i]];
  while (lane.length <= spans.depth[i]) lane.push([]);
  lane[spans.depth[i]].push(i);
}
for (let i = 0; i < gaps.lane.length; i++) gapsOf[gaps.lane[i]].push(i);
// The critical path without what happens inside a lane: [lane, begin, end].
const legs = [];
for (let i = 0; i < path.lane.length; i++) {
  const last = legs[legs.length - 1];
  if (last && last[0] === path.lane[i]) last[2] = path.end[i];
  else legs.push([path.lane[i], path.begin[i], path.end[i]]);
}

function duration(ns) {
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (ns >= size) return `${ns >= 100 * size ? Math.round(ns / size) : (ns / size).toPrecision(3)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

// The first member of a sorted list whose end lies behind `at`.
function firstBehind(list, ends, at) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[list[middle]] > at) high = middle; else low = middle + 1;
  }
  return low;
}

function layOut() {
  let top = AXIS;
  shape = rows.map((depths) => {
    const lane = { top, rows: top + TITLE, strip: top + TITLE + Math.max(depths.length, 1) * ROW };
    top = lane.strip + STRIP + SPACE;
    return lane;
  });
  return top;
}

function readColours(print) {
  const style = getComputedStyle(document.documentElement);
  const names = Object.keys(data.light);
  colours = print ? data.light : Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function sized(target, height) {
  const ratio = window.devicePixelRatio || 1, width = target.clientWidth;
  target.style.height = `${height}px`;
  target.width = Math.round(width * ratio);
  target.height = Math.round(height * ratio);
  const pen = target.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width, height);
  pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  pen.textBaseline = "middle";
  return [pen, width];
}

function hatched(pen, x, y, width, height) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.strokeStyle = colours.line;
  pen.beginPath();
  const left = Math.max(x, 0), right = Math.min(x + width, pen.canvas.clientWidth);
  for (let at = Math.floor(left / 6) * 6 - height; at < right; at += 6) {
    pen.moveTo(at, y + height);
    pen.lineTo(at + height, y);
  }
  pen.stroke();
  pen.restore();
}

function labelled(pen, text, x, width, y, colour) {
  const left = Math.max(x, 0) + 4, room = Math.min(x + width, pen.canvas.clientWidth) - left - 3;
  if (room < 22) return;
  pen.save();
  pen.beginPath();
  pen.rect(left, y, room, ROW);
  pen.clip();
  pen.fillStyle = colour;
  pen.fillText(shortened(pen, text, room), left, y + ROW / 2);
  pen.restore();
}

function shortened(pen, text, room) {
  const width = pen.measureText(text).width;
  return width <= room ? text : text.slice(0, Math.max(1, Math.floor(text.length * room / width) - 1)) + "…";
}

function spanText(i) {
  const name = data.names[spans.name[i]], parent = spans.parent[i];
  if (spans.place[i] >= 0) return `${name} ${placeText(spans.place[i])}`;
  const isOwn = (column) => column[i] >= 0 && (parent < 0 || column[parent] !== column[i]);
  if (name === "frame" || name === "show") return `${name} ${spans.frame[i]}`;
  return name + (isOwn(spans.tile) ? ` ${spans.tile[i]}` : "") + (isOwn(spans.frame) ? ` · frame ${spans.frame[i]}` : "");
}

function placeText(place) {
  const size = place % 65536, row = Math.floor(place / 65536) % 65536, column = Math.floor(place / 4294967296);
  return `${4 << (size / 3)}x${4 << (size / 3)} at ${4 * column},${4 * row}`;
}

function causeText(gap) {
  const cause = gaps.cause[gap];
  if (cause < 0) return "unrecorded work of its own";
  const span = path.span[cause];
  if (span < 0) return span === HAND_OVER ? "hand-over" : "between spans";
  const where = [];
  if (spans.tile[span] >= 0) where.push(`tile ${spans.tile[span]}`);
  if (spans.frame[span] >= 0) where.push(`frame ${spans.frame[span]}`);
  return [data.names[spans.name[span]], ...where].join(" · ") + ` on ${data.lanes[path.lane[cause]]}`;
}

function drawAxis(pen, width) {
  const visible = state.to - state.from;
  const rough = visible / Math.max(width / 110, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  pen.strokeStyle = colours.line;
  pen.fillStyle = colours.muted;
  for (let at = Math.ceil(state.from / step) * step; at <= state.to; at += step) {
    const x = Math.round((at - state.from) / visible * width) + 0.5;
    pen.beginPath();
    pen.moveTo(x, AXIS - 6);
    pen.lineTo(x, pen.canvas.clientHeight);
    pen.stroke();
    pen.fillText(tick(at, step), x + 3, 10);
  }
}

function tick(at, step) {
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([s]) => state.to >= s * 2) || [1, "ns"];
  return `${(at / size).toFixed(Math.max(0, Math.min(9, Math.ceil(Math.log10(size / step)))))} ${unit}`;
}

function drawGaps(pen, lane, toX) {
  const list = gapsOf[lane], y = shape[lane].rows;
  for (let at = firstBehind(list, gaps.end, state.from); at < list.length && gaps.begin[list[at]] < state.to; at++) {
    const i = list[at], x = toX(gaps.begin[i]), width = toX(gaps.end[i]) - x;
    if (width < 1) continue;
    const row = y + (gaps.span[i] >= 0 ? spans.depth[gaps.span[i]] : 0) * ROW;
    hatched(pen, x, row, width, ROW - 2);
    labelled(pen, `waits: ${causeText(i)}`, x, width, row, colours.muted);
    if (i === state.gap) outlined(pen, x, row, width);
  }
}

function drawRow(pen, list, y, toX) {
  let filled = -1;
  for (let at = firstBehind(list, spans.end, state.from); at < list.length && spans.begin[list[at]] < state.to; at++) {
    const i = list[at], x = toX(spans.begin[i]), right = toX(spans.end[i]);
    if (isWait[spans.name[i]]) continue;  // its gaps are drawn
    const width = Math.max(right - x, 0.7);
    if (right < filled + 0.4 && i !== state.span) continue;  // nothing of it would be seen
    filled = x + width;
    pen.globalAlpha = 0.5;
    pen.fillStyle = colours[data.colours[spans.name[i]]];
    pen.fillRect(x, y, width > 3 ? width - 1 : width, ROW - 2);
    pen.globalAlpha = 1;
    if (width > 26) labelled(pen, spanText(i), x, width, y, colours.ink);
    if (i === state.span) outlined(pen, x, y, width);
  }
}

function outlined(pen, x, y, width) {
  pen.strokeStyle = colours.ink;
  pen.lineWidth = 2;
  pen.strokeRect(x, y - 1, width, ROW);
  pen.lineWidth = 1;
}

function drawPath(pen, toX) {
  pen.strokeStyle = colours.bad;
  pen.lineWidth = 2;
  pen.beginPath();
  let before = null;
  for (const [lane, begin, end] of legs) {
    if (end >= state.from && begin <= state.to) {
      const y = shape[lane].strip + STRIP / 2;
      if (before === null) pen.moveTo(Math.max(toX(begin), -9), y);
      else pen.lineTo(toX(begin), y);  // from the lane before
      pen.lineTo(Math.min(toX(end), pen.canvas.clientWidth + 9), y);
      before = lane;
    }
  }
  pen.stroke();
  pen.lineWidth = 1;
}

// Of the lanes, over the path.
function drawNames(pen) {
  pen.font = "bold 12px system-ui, 'DejaVu Sans', sans-serif";
  data.lanes.forEach((name, lane) => {
    pen.fillStyle = colours.paper;
    pen.fillRect(2, shape[lane].top + 2, pen.measureText(name).width + 4, TITLE - 4);
    pen.fillStyle = colours.ink;
    pen.fillText(name, 4, shape[lane].top + TITLE / 2);
  });
}

function draw(print) {
  readColours(print === true);
  const height = layOut();
  const [pen, width] = sized(canvas, height);
  const toX = (at) => (at - state.from) / (state.to - state.from) * width;
  drawAxis(pen, width);
  data.lanes.forEach((_, lane) => {
    rows[lane].forEach((list, depth) => drawRow(pen, list, shape[lane].rows + depth * ROW, toX));
    drawGaps(pen, lane, toX);
  });
  if (state.path) drawPath(pen, toX);
  drawNames(pen);
  drawOverview();
}

// Each lane as one line: how much of every pixel is work.
function drawOverview() {
  const [pen, width] = sized(overview, 46), height = 46 / data.lanes.length;
  const space = height > 6 ? 1 : 0;
  data.lanes.forEach((_, lane) => {
    const idle = new Float64Array(width + 1), scale = width / data.wall;
    for (const i of gapsOf[lane]) {
      const from = gaps.begin[i] * scale, to = gaps.end[i] * scale;
      for (let x = Math.floor(from); x < to && x < width; x++) idle[x] += Math.min(to, x + 1) - Math.max(from, x);
    }
    pen.fillStyle = colours["series-1"];
    for (let x = 0; x < width; x++) {
      pen.globalAlpha = Math.max(0, 0.75 * (1 - idle[x]));
      pen.fillRect(x, lane * height + space, 1, height - 2 * space);
    }
    pen.globalAlpha = 1;
  });
  const left = state.from / data.wall * width, right = state.to / data.wall * width;
  pen.fillStyle = colours.paper;
  pen.globalAlpha = 0.65;
  pen.fillRect(0, 0, left, 46);
  pen.fillRect(right, 0, width - right, 46);
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.ink;
  pen.strokeRect(left + 0.5, 0.5, Math.max(right - left - 1, 1), 45);
}

// What is said ------------------------------------------------------------------------------------------------------------

function describe(span, gap) {
  const label = element("name"), bold = document.createElement("b");
  if (gap >= 0) {
    bold.textContent = `waits for ${causeText(gap)}`;
    label.replaceChildren(bold, ` on ${data.lanes[gaps.lane[gap]]}`);
    element("times").textContent = `${duration(gaps.end[gap] - gaps.begin[gap])} from ${duration(gaps.begin[gap])}`;
  } else if (span >= 0) {
    bold.textContent = data.names[spans.name[span]];
    const about = [];
    if (spans.frame[span] >= 0) about.push(`frame ${spans.frame[span]}`);
    if (spans.tile[span] >= 0) about.push(`tile ${spans.tile[span]}`);
    if (spans.place[span] >= 0) about.push(placeText(spans.place[span]));
    label.replaceChildren(bold, " " + [about.join(" · "), `on ${data.lanes[spans.lane[span]]}`].filter(Boolean).join(" "));
    const times = [duration(spans.end[span] - spans.begin[span]), `${duration(spans.self[span])} itself`];
    if (data.queued[span] !== undefined) times.push(`${duration(data.queued[span])} in the queue before`);
    element("times").textContent = [...times, `from ${duration(spans.begin[span])}`].join("  ·  ");
  } else {
    label.textContent = "\u00a0";
    element("times").textContent = `${duration(state.to - state.from)} of ${duration(data.wall)}`;
  }
}

function show(change) {
  Object.assign(state, change);
  const least = Math.min(200, data.wall), length = Math.min(Math.max(state.to - state.from, least), data.wall);
  state.from = Math.min(Math.max(state.from, 0), data.wall - length);
  state.to = state.from + length;
  const hash = new URLSearchParams();
  if (length < data.wall) { hash.set("from", Math.round(state.from)); hash.set("to", Math.round(state.to)); }
  if (state.span >= 0) hash.set("span", state.span);
  if (!state.path) hash.set("path", "off");
  history.replaceState(null, "", "#" + hash);
  element("path").checked = state.path;
  describe(state.span, state.gap);
  draw();
}

function readAddress() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const number = (name, otherwise) => (Number.isFinite(parseFloat(hash.get(name))) ? parseFloat(hash.get(name)) : otherwise);
  const span = number("span", -1);
  show({
    from: number("from", 0), to: number("to", data.wall), gap: -1, path: hash.get("path") !== "off",
    span: Number.isInteger(span) && span < spans.lane.length ? span : -1,
  });
}

// What the reader does -----------------------------------------------------------------------------------------------------

const timeAt = (target, event) => {
  const box = target.getBoundingClientRect();
  return (event.clientX - box.left) / box.width;
};

// The span or gap under the pointer: [span, gap].
function under(event) {
  const box = canvas.getBoundingClientRect(), y = event.clientY - box.top;
  const at = state.from + timeAt(canvas, event) * (state.to - state.from);
  const lane = shape.findIndex((place) => y >= place.top && y < place.strip + STRIP + SPACE);
  if (lane < 0) return [-1, -1];
  const depth = Math.floor((y - shape[lane].rows) / ROW), list = rows[lane][depth] || [];
  const slack = (state.to - state.from) / canvas.clientWidth;  // a pixel: narrow spans can be hit, too
  const gap = gapsOf[lane][firstBehind(gapsOf[lane], gaps.end, at)];
  if (gap !== undefined && gaps.begin[gap] <= at && depth === (gaps.span[gap] >= 0 ? spans.depth[gaps.span[gap]] : 0)) return [-1, gap];
  const span = list[firstBehind(list, spans.end, at - slack)];
  return [span !== undefined && spans.begin[span] <= at + slack ? span : -1, -1];
}

function zoom(factor, around) {
  const length = (state.to - state.from) * factor, at = state.from + around * (state.to - state.from);
  show({ from: at - around * length, to: at + (1 - around) * length });
}

function pan(share) {
  const by = share * (state.to - state.from);
  show({ from: state.from + by, to: state.to + by });
}

function fill(begin, end) {
  const margin = (end - begin) * 0.08;
  show({ from: begin - margin, to: end + margin });
}

function fillSelected() {
  if (state.gap >= 0) fill(gaps.begin[state.gap], gaps.end[state.gap]);
  else if (state.span >= 0) fill(spans.begin[state.span], spans.end[state.span]);
}

// The next or previous stage on the critical path, seen from the one that is chosen or from the middle of the view.
function walk(direction) {
  const here = state.span >= 0 ? (spans.begin[state.span] + spans.end[state.span]) / 2 : (state.from + state.to) / 2;
  let at = 0;
  while (at < path.lane.length - 1 && path.end[at] <= here) at++;
  const from = state.span >= 0 ? state.span : -1;
  for (at += from < 0 ? 0 : direction; at >= 0 && at < path.lane.length; at += direction) {
    if (path.span[at] < 0 || path.span[at] === from) continue;
    const i = path.span[at], length = state.to - state.from;
    const isSeen = spans.begin[i] >= state.from && spans.end[i] <= state.to;
    const middle = (spans.begin[i] + spans.end[i]) / 2;
    show({ span: i, gap: -1, ...(isSeen ? {} : { from: middle - length / 2, to: middle + length / 2 }) });
    return;
  }
}

function goToFrame(number) {
  const select = element("frame");
  select.value = number === null ? "" : String(number);
  if (number === null) { show({ from: 0, to: data.wall, span: -1, gap: -1 }); return; }
  const frame = data.frames.find((candidate) => candidate[0] === number);
  if (frame) fill(frame[2], frame[3]);
}

function stepFrame(direction) {
  const order = data.frames.map((frame) => frame).sort((one, other) => one[2] - other[2]).map((frame) => frame[0]);
  const chosen = element("frame").value;
  const at = chosen === "" ? (direction > 0 ? -1 : order.length) : order.indexOf(Number(chosen));
  const next = order[at + direction];
  if (next !== undefined) goToFrame(next);
}

const KEYS = {
  ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25), a: () => pan(-0.25), d: () => pan(0.25),
  "+": () => zoom(0.5, 0.5), "=": () => zoom(0.5, 0.5), w: () => zoom(0.5, 0.5), "-": () => zoom(2, 0.5), s: () => zoom(2, 0.5),
  Home: () => goToFrame(null), Escape: () => goToFrame(null), 0: () => goToFrame(null),
  "[": () => walk(-1), "]": () => walk(1), n: () => stepFrame(1), p: () => stepFrame(-1),
  c: () => show({ path: !state.path }), Enter: fillSelected,
};

function onKey(event) {
  const typing = ["SELECT", "INPUT", "TEXTAREA"].includes(event.target.tagName);
  const onButton = event.target.tagName === "BUTTON" && event.key === "Enter";
  if (typing || onButton || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  KEYS[event.key]();
  event.preventDefault();
}

canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, from: state.from, to: state.to, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) {
    const [span, gap] = under(event);
    describe(span < 0 && gap < 0 ? state.span : span, span < 0 && gap < 0 ? state.gap : gap);
    return;
  }
  const by = (drag.x - event.clientX) / canvas.clientWidth * (drag.to - drag.from);
  drag.moved = drag.moved || Math.abs(drag.x - event.clientX) > 3;
  if (drag.moved) { canvas.classList.add("dragging"); show({ from: drag.from + by, to: drag.to + by }); }
});
canvas.addEventListener("pointerup", (event) => {
  if (drag && !drag.moved) { const [span, gap] = under(event); show({ span, gap }); }
  drag = null;
  canvas.classList.remove("dragging");
});
canvas.addEventListener("pointercancel", () => { drag = null; });
canvas.addEventListener("pointerleave", () => describe(state.span, state.gap));
canvas.addEventListener("dblclick", (event) => {
  const [span, gap] = under(event);
  show({ span, gap });
  fillSelected();
});
canvas.addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 300), timeAt(canvas, event));
  else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) pan((event.deltaX || event.deltaY) / 800);
  else return;  // the page scrolls
  event.preventDefault();
}, { passive: false });

let chosenFrom = null;
overview.addEventListener("pointerdown", (event) => { chosenFrom = timeAt(overview, event); overview.setPointerCapture(event.pointerId); });
overview.addEventListener("pointermove", (event) => {
  if (chosenFrom === null) return;
  const ends = [chosenFrom, timeAt(overview, event)].sort((one, other) => one - other);
  if (ends[1] - ends[0] > 0.002) show({ from: ends[0] * data.wall, to: ends[1] * data.wall });
});
overview.addEventListener("pointerup", (event) => {
  const at = timeAt(overview, event);
  if (chosenFrom !== null && Math.abs(at - chosenFrom) <= 0.002) {
    const half = (state.to - state.from) / 2;
    show({ from: at * data.wall - half, to: at * data.wall + half });
  }
  chosenFrom = null;
});

for (const frame of data.frames) element("frame").append(new Option(`Frame ${frame[0]}`, frame[0]));
const used = new Set(spans.name);
data.names.forEach((name, at) => {
  if (isWait[at] || !used.has(at)) return;
  const item = document.createElement("li"), mark = document.createElement("i");
  mark.style.background = `var(--${data.colours[at]})`;
  item.append(mark, name);
  element("keys").append(item);
});
element("frame").addEventListener("change", (event) => goToFrame(event.target.value === "" ? null : Number(event.target.value)));
element("whole").addEventListener("click", () => goToFrame(null));
element("nearer").addEventListener("click", () => zoom(0.5, 0.5));
element("farther").addEventListener("click", () => zoom(2, 0.5));
element("left").addEventListener("click", () => pan(-0.25));
element("right").addEventListener("click", () => pan(0.25));
element("previous").addEventListener("click", () => walk(-1));
element("next").addEventListener("click", () => walk(1));
element("path").addEventListener("change", (event) => show({ path: event.target.checked }));
document.addEventListener("click", (event) => {
  const number = event.target.dataset && event.target.dataset.frame;
  if (number !== undefined) { goToFrame(Number(number)); canvas.scrollIntoView({ block: "center" }); }
});
document.addEventListener("keydown", onKey);
window.addEventListener("resize", () => draw());
window.addEventListener("hashchange", readAddress);
window.addEventListener("beforeprint", () => draw(true));
window.addEventListener("afterprint", () => draw());
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
readAddress();
