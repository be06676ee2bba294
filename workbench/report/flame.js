"use strict";
// A node is [name, samples, callees]; a name is [function, place, layer]. The state lives in the address after "#",
// so that a view can be kept as a bookmark and sent to somebody.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const flame = element("flame");
const ROW = 20, NARROW = 26, INVISIBLE = 0.4;
const state = { graph: 0, zoom: [], search: "" };
let shown = [];  // the drawn frames, row by row: { node, path, button }

function colours() {
  return Array.from(document.querySelectorAll(".layers i"), (mark) => mark.style.background);
}

function nodeAt(path) {
  return path.reduce((node, at) => node[2][at], data.graphs[state.graph].root);
}

function pattern() {
  if (!state.search) return null;
  try {
    return new RegExp(state.search, "i");
  } catch {  // half-typed, or meant literally
    return new RegExp(state.search.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
  }
}

function matches(node, wanted) {
  const [name, place] = data.names[node[0]];
  return wanted.test(name) || wanted.test(place) || wanted.test(`${place}.${name}`);
}

// Samples in matching functions and everything below them, each sample counted once.
function matchingSamples(node, wanted) {
  if (matches(node, wanted)) return node[1];
  return (node[2] || []).reduce((sum, callee) => sum + matchingSamples(callee, wanted), 0);
}

const percent = (part, whole) => (whole ? (100 * part / whole).toFixed(part / whole < 0.0995 ? 2 : 1) : "0") + " %";

function draw() {
  const wanted = pattern(), layers = colours(), width = flame.clientWidth;
  const top = nodeAt(state.zoom);
  flame.textContent = "";
  flame.classList.toggle("searching", wanted !== null);
  shown = [];
  const add = (node, path, left, share, above) => {
    const pixels = share * width;
    if (pixels < INVISIBLE) return;
    const button = document.createElement("button");
    const [name, place, layer] = data.names[node[0]];
    button.type = "button";
    button.tabIndex = -1;
    button.className = "frame" + (above ? " above" : "") + (pixels < NARROW ? " narrow" : "") +
      (wanted && matches(node, wanted) ? " match" : "");
    button.style.cssText = `left:${left * 100}%;width:${share * 100}%;top:${path.length * ROW}px;--layer:${layers[layer]}`;
    button.textContent = name;
    button.setAttribute("aria-label", `${name} ${place}, ${percent(node[1], data.graphs[state.graph].root[1])}`);
    flame.append(button);
    shown.push({ node, path, button });
  };
  for (let depth = 0; depth < state.zoom.length; depth++) {
    const path = state.zoom.slice(0, depth);
    add(nodeAt(path), path, 0, 1, true);
  }
  const below = (node, path, left, share) => {
    add(node, path, left, share, false);
    let x = left;
    (node[2] || []).forEach((callee, at) => {
      const part = share * callee[1] / node[1];
      if (part * width >= INVISIBLE) below(callee, [...path, at], x, part);
      x += part;
    });
  };
  below(top, state.zoom, 0, 1);
  const rows = Math.max(...shown.map((frame) => frame.path.length)) + 1;
  flame.style.height = `${rows * ROW}px`;
  const root = data.graphs[state.graph].root;
  element("found").textContent = wanted ? `found in ${percent(matchingSamples(root, wanted), root[1])} of the time` : "";
  describe(top);
  const first = shown.find((frame) => frame.path.length === state.zoom.length);
  if (first) first.button.tabIndex = 0;
}

function describe(node) {
  const graph = data.graphs[state.graph], [name, place] = data.names[node[0]];
  const self = node[1] - (node[2] || []).reduce((sum, callee) => sum + callee[1], 0);
  const top = nodeAt(state.zoom);
  const label = element("name");
  label.replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), place ? ` ${place}` : "");
  const parts = [`${percent(node[1], graph.root[1])} of all`];
  if (state.zoom.length) parts.push(`${percent(node[1], top[1])} of the view`);
  parts.push(`${percent(self, graph.root[1])} itself`);
  if (graph.samples) parts.push(`${Math.round(node[1])} samples`);
  element("shares").textContent = parts.join("  ·  ");
}

function show(change) {
  Object.assign(state, change);
  const hash = new URLSearchParams();
  if (state.graph) hash.set("graph", state.graph);
  if (state.zoom.length) hash.set("zoom", state.zoom.join("."));
  if (state.search) hash.set("search", state.search);
  history.replaceState(null, "", "#" + hash);
  element("graph").value = state.graph;
  if (element("search").value !== state.search) element("search").value = state.search;
  draw();
}

function readAddress() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const graph = Number(hash.get("graph"));
  state.graph = data.graphs[graph] ? graph : 0;
  state.search = hash.get("search") || "";
  state.zoom = (hash.get("zoom") || "").split(".").filter(Boolean).map(Number);
  for (let node = data.graphs[state.graph].root, depth = 0; depth < state.zoom.length; depth++) {
    node = (node[2] || [])[state.zoom[depth]];
    if (!node) state.zoom.length = depth;  // an address of another page: go as deep as it leads
  }
  show({});
}

function frameOf(button) {
  return shown.find((frame) => frame.button === button);
}

function zoomTo(path) {
  show({ zoom: path });
  const frame = shown.find((candidate) => candidate.path.length === path.length && !candidate.button.classList.contains("above"));
  if (frame) frame.button.focus();
}

// The next frame to walk to from `frame`, in the picture's own geometry.
function neighbour(frame, key) {
  const level = frame.path.length + { ArrowUp: -1, ArrowDown: 1, ArrowLeft: 0, ArrowRight: 0 }[key];
  const row = shown.filter((candidate) => candidate.path.length === level);
  if (key === "ArrowUp") return row.find((candidate) => candidate.path.every((at, depth) => at === frame.path[depth]));
  if (key === "ArrowDown") {
    const callees = row.filter((candidate) => frame.path.every((at, depth) => at === candidate.path[depth]));
    return callees.reduce((best, next) => (!best || next.node[1] > best.node[1] ? next : best), undefined);
  }
  return row[row.indexOf(frame) + (key === "ArrowLeft" ? -1 : 1)];
}

function onKey(event) {
  const typing = event.target === element("search") || event.target === element("graph");
  if (event.key === "Escape") show({ zoom: [], search: "" });
  else if (event.key === "/" && !typing) element("search").focus();
  else if (event.key.startsWith("Arrow") && !typing) {
    const frame = frameOf(document.activeElement) || shown.find((candidate) => candidate.path.length === state.zoom.length);
    const next = document.activeElement === frame.button ? neighbour(frame, event.key) : frame;
    if (next) next.button.focus();
  } else return;
  event.preventDefault();
}

function groupGraphs() {
  const sets = new Set(data.graphs.map((graph) => graph.kernels));
  data.graphs.forEach((graph, at) => {
    const option = new Option(sets.size > 1 ? `${graph.title} (${graph.kernels})` : graph.title, at);
    element("graph").append(option);
  });
}

flame.addEventListener("click", (event) => { const frame = frameOf(event.target); if (frame) zoomTo(frame.path); });
flame.addEventListener("mouseover", (event) => { const frame = frameOf(event.target); if (frame) describe(frame.node); });
flame.addEventListener("focusin", (event) => { const frame = frameOf(event.target); if (frame) describe(frame.node); });
flame.addEventListener("mouseleave", () => describe(nodeAt(state.zoom)));
element("graph").addEventListener("change", (event) => show({ graph: Number(event.target.value), zoom: [] }));
element("search").addEventListener("input", (event) => show({ search: event.target.value }));
element("reset").addEventListener("click", () => show({ zoom: [], search: "" }));
document.addEventListener("keydown", onKey);
window.addEventListener("resize", draw);
window.addEventListener("hashchange", readAddress);
groupGraphs();
readAddress();
