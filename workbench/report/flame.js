// The graph itself: what is drawn, and what mouse, keys and the address do to it. The state lives in the address behind
// "#", so that a view can be kept as a bookmark and sent to somebody.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const flame = element("flame");
const ROW = 20, NARROW = 26, INVISIBLE = 0.4;
const FIRST = { graph: 0, thread: "apart", by: data.by || "function", width: "both", zoom: [], search: "", source: -1 };
const state = { ...FIRST };
let tree = null, view = null;  // of the state: the whole, and the node that is zoomed to
let shown = [];  // the drawn frames, row by row: { node, depth, button }

const graph = () => data.graphs[state.graph];
const functionAt = (node) => data.functions[data.frames[node.frame][0]];
const lineAt = (node) => (state.by === "line" ? data.frames[node.frame][1] : 0);
const percent = (part, whole) => (whole ? (100 * part / whole).toFixed(part / whole < 0.0995 ? 2 : 1) : "0") + " %";

function placeOf(node) {
  const [, place, , inlined] = functionAt(node), line = lineAt(node);
  return [place + (place && line ? `:${line}` : ""), inlined ? "(inlined)" : ""].filter(Boolean).join(" ");
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
  const [name, place] = functionAt(node), line = lineAt(node);
  return wanted.test(name) || wanted.test(line ? `${place}:${line}` : place) || wanted.test(`${place}.${name}`);
}

// Samples in matching frames and everything below them, each sample counted once.
function matchingSamples(from, wanted) {
  let sum = 0;
  const waiting = [from];
  while (waiting.length) {
    const node = waiting.pop();
    if (matches(node, wanted)) sum += node.total;
    else waiting.push(...node.callees);
  }
  return sum;
}

function rebuild() {
  const before = view;
  tree = buildTree(data, columns(), state.thread, state.by);
  return before;
}

// The columns that widths come from: those of the graph, or of one side of a differential graph.
function columns() {
  return state.width === "both" || !graph().diff ? graph() : { ...graph(), own: graph().diff[state.width] };
}

function draw() {
  const wanted = pattern(), width = flame.clientWidth || 1;
  flame.textContent = "";
  flame.classList.toggle("searching", wanted !== null);
  shown = [];
  for (let node = view.caller, depth = state.zoom.length - 1; node; node = node.caller, depth--) {
    shown.unshift(frameButton(node, depth, 0, 1, width, wanted, true));
  }
  const waiting = [[view, state.zoom.length, 0, 1]];  // first in, first out: row by row, left to right
  for (let next = 0; next < waiting.length; next++) {
    const [node, depth, left, share] = waiting[next];
    shown.push(frameButton(node, depth, left, share, width, wanted, false));
    let x = left;
    for (const callee of node.callees) {
      const part = node.total ? share * callee.total / node.total : 0;
      if (part * width < INVISIBLE) break;  // the largest come first
      waiting.push([callee, depth + 1, x, part]);
      x += part;
    }
  }
  flame.append(...shown.map((frame) => frame.button));
  flame.style.height = `${(Math.max(...shown.map((frame) => frame.depth)) + 1) * ROW}px`;
  element("found").textContent = wanted ? foundText(wanted) : "";
  describe(view);
  shown[state.zoom.length].button.tabIndex = 0;
}

function foundText(wanted) {
  const whole = `found in ${percent(matchingSamples(tree.root, wanted), tree.root.total)} of the time`;
  return view === tree.root ? whole : `${whole}, ${percent(matchingSamples(view, wanted), view.total)} of the view`;
}

function frameButton(node, depth, left, share, width, wanted, above) {
  const button = document.createElement("button"), [name, , layer] = functionAt(node);
  button.type = "button";
  button.tabIndex = -1;
  button.className = ["frame", above && "above", share * width < NARROW && "narrow", wanted && matches(node, wanted) && "match",
    functionAt(node)[3] && "inlined", ...changeClasses(node)].filter(Boolean).join(" ");
  button.style.cssText = `left:${left * 100}%;width:${share * 100}%;top:${depth * ROW}px`;
  if (!graph().diff) button.style.setProperty("--layer", `var(--layer-${layer})`);
  button.textContent = lineAt(node) ? `${name}:${lineAt(node)}` : name;
  button.setAttribute("aria-label", `${name} ${placeOf(node)}, ${percent(node.total, tree.root.total)}`);
  return { node, depth, button };
}

function describe(node) {
  const [name] = functionAt(node);
  element("name").replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), ` ${placeOf(node)}`.trimEnd());
  element("shares").textContent = (graph().diff ? changeText(node) : shareTexts(node)).join("  ·  ");
}

function shareTexts(node) {
  const parts = [`${percent(node.total, tree.root.total)} of all`];
  if (view !== tree.root) parts.push(`${percent(node.total, view.total)} of the view`);
  parts.push(`${percent(node.own, tree.root.total)} itself`);
  if (graph().samples) parts.push(`${Math.round(node.total).toLocaleString("en")} samples`);
  if (graph().frame_s) parts.push(`${milliseconds(node.total * graph().frame_s)} ms a frame`);
  return parts;
}

const milliseconds = (seconds) => {
  const value = 1e3 * seconds;
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
};

// change: what differs from now. A tree of its own begins where the reader was, as far as it has the same functions.
function show(change) {
  const other = ["graph", "thread", "by", "width"].some((key) => key in change && String(change[key]) !== String(state[key]));
  Object.assign(state, change);
  if (other || !tree) {
    const before = rebuild();
    if (!("zoom" in change)) state.zoom = before ? pathOf(sameNode(data, before, tree.root)) : [];
  }
  view = nodeAt(tree.root, state.zoom);
  state.zoom = pathOf(view);
  const hash = new URLSearchParams();
  for (const key of ["graph", "thread", "by", "width", "search", "source"]) {
    if (String(state[key]) !== String(FIRST[key])) hash.set(key, state[key]);
  }
  if (state.zoom.length) hash.set("zoom", state.zoom.join("."));
  history.replaceState(null, "", "#" + hash);
  if (other || !element("graph").dataset.ready) fillChoosers();
  for (const key of ["graph", "thread", "by", "width", "search"]) {
    const chooser = element(key);
    if (chooser && chooser.value !== String(state[key])) chooser.value = state[key];
  }
  draw();
  drawPanel();
}

function readAddress() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const at = Number(hash.get("graph"));
  const chosen = { ...FIRST, graph: data.graphs[at] ? at : 0, search: hash.get("search") || "" };
  const threads = threadsOf(data, data.graphs[chosen.graph]).map(String);
  if (["merged", ...threads].includes(hash.get("thread"))) chosen.thread = hash.get("thread");
  if (["function", "line"].includes(hash.get("by"))) chosen.by = hash.get("by");
  if (["before", "after"].includes(hash.get("width"))) chosen.width = hash.get("width");
  if (data.sources && data.sources[hash.get("source")]) chosen.source = Number(hash.get("source"));
  chosen.zoom = (hash.get("zoom") || "").split(".").filter(Boolean).map(Number);
  show(chosen);
}

function fillChoosers() {
  const chooser = element("thread"), threads = threadsOf(data, graph());
  if (chooser) {
    const name = (at) => data.functions[functionOf(data, graph(), at)][0];
    chooser.replaceChildren(new Option("all threads, apart", "apart"), new Option("all threads, merged", "merged"),
      ...threads.map((at) => new Option(name(at), at)));
    chooser.hidden = !threads.length;
  }
  element("graph").hidden = data.graphs.length < 2;
  element("graph").dataset.ready = "yes";
  element("facts").textContent = graph().facts.join(" · ");
}

function frameOf(button) {
  return shown.find((frame) => frame.button === button);
}

function zoomTo(node) {
  show({ zoom: pathOf(node), source: sourceOf(data.frames[node.frame][0]) });  // -1: of the hottest in the view
  shown[state.zoom.length].button.focus();
}

// The next frame to walk to from `frame`, in the picture's own geometry.
function neighbour(frame, key) {
  const row = shown.filter((candidate) => candidate.depth === frame.depth);
  if (key === "ArrowUp") return shown.find((candidate) => candidate.node === frame.node.caller);
  if (key === "ArrowDown") return shown.find((candidate) => candidate.node.caller === frame.node);  // the largest first
  return row[row.indexOf(frame) + (key === "ArrowLeft" ? -1 : 1)];
}

function next(chooser) {
  const values = Array.from(chooser.options, (option) => option.value);
  return values[(values.indexOf(chooser.value) + 1) % values.length];
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const typing = ["search", "graph", "thread", "by", "width"].includes(event.target.id);
  const offered = (id) => !typing && element(id) && !element(id).hidden && !element(id).disabled;
  if (event.key === "Escape") show({ zoom: [], search: "", source: -1 });
  else if (event.key === "Backspace" && !typing) { if (view.caller) zoomTo(view.caller); }
  else if (event.key === "/" && !typing) element("search").focus();
  else if (event.key === "l" && offered("by")) show({ by: next(element("by")) });
  else if (event.key === "t" && offered("thread")) show({ thread: next(element("thread")) });
  else if (event.key.startsWith("Arrow") && !typing) {
    const frame = frameOf(document.activeElement), to = frame ? neighbour(frame, event.key) : shown[state.zoom.length];
    if (!frame && document.activeElement !== document.body && document.activeElement !== flame) return;
    if (to) to.button.focus();
  } else return;
  event.preventDefault();
}

function start() {
  const sets = new Set(data.graphs.map((each) => each.kernels));
  data.graphs.forEach((each, at) => {
    element("graph").append(new Option(sets.size > 1 ? `${each.title} (${each.kernels})` : each.title, at));
  });
  if (element("by") && !data.frames.some(([, line]) => line)) {
    element("by").disabled = true;
    element("by").title = "These samples say no lines";
  }
  const onFrame = (act) => (event) => { const frame = frameOf(event.target); if (frame) act(frame.node); };
  flame.addEventListener("click", onFrame(zoomTo));
  flame.addEventListener("mouseover", onFrame(describe));
  flame.addEventListener("focusin", onFrame(describe));
  flame.addEventListener("mouseleave", () => describe(view));
  element("graph").addEventListener("change", (event) => show({ graph: Number(event.target.value), thread: keptThread() }));
  for (const key of ["thread", "by", "width"]) {
    if (element(key)) element(key).addEventListener("change", (event) => show({ [key]: event.target.value }));
  }
  element("search").addEventListener("input", (event) => show({ search: event.target.value }));
  element("reset").addEventListener("click", () => show({ zoom: [], search: "", source: -1 }));
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", readAddress);
  readAddress();
}

// Another graph numbers its threads anew.
function keptThread() {
  return state.thread === "merged" ? "merged" : "apart";
}
