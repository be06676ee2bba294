// Below the graph: the hottest functions of what is shown and one's source with samples beside its lines; and the
// words of a differential graph.
const HOTTEST = 15;

// The index of a function's source in the page, or -1.
function sourceOf(at) {
  const [label, place] = data.functions[at];
  return (data.sources || []).findIndex((source) => source.function === label && source.place === place);
}

const made = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
};

function shareCell(part, whole) {
  const cell = made("td", "number", part ? (100 * part / whole).toFixed(1) : "");
  if (part) cell.style.setProperty("--share", `${100 * part / whole}%`);
  return cell;
}

function drawPanel() {
  if (graph().diff) return;
  const below = rowsBelow(graph(), tree.nodes, view);
  const offered = drawHottest(below);
  drawSource(below, state.source < 0 ? offered : state.source);
}

// An inlined copy counts as its function; the root and threads are none. Returns the first of them with a source here.
function drawHottest(below) {
  const idOf = new Map(), firstOf = [];
  data.functions.forEach(([label, place], at) => {
    const key = `${label}\n${place}`;
    if (!idOf.has(key)) idOf.set(key, at);
    firstOf[at] = idOf.get(key);
  });
  const isFunction = (at) => at && !data.functions[functionOf(data, graph(), at)][0].startsWith(THREAD);
  const sums = sumsBy(graph(), below, (at) => (isFunction(at) ? firstOf[functionOf(data, graph(), at)] : null));
  const hottest = Array.from(sums).sort((a, b) => b[1].own - a[1].own || b[1].total - a[1].total).slice(0, HOTTEST);
  element("hottest").replaceChildren(...hottest.map(([at, sum]) => hottestRow(at, sum)));
  return hottest.map(([at]) => sourceOf(at)).find((source) => source >= 0);
}

function hottestRow(at, sum) {
  const [label, place] = data.functions[at], source = sourceOf(at);
  const name = made("td", "", source < 0 ? made("b", "", label) : sourceButton(label, source), made("span", "place", place));
  name.title = place;
  return made("tr", "", shareCell(sum.own, view.total), shareCell(sum.total, view.total), name);
}

function sourceButton(label, source) {
  const button = made("button", "link", label);
  button.type = "button";
  button.addEventListener("click", () => show({ source }));
  return button;
}

function drawSource(below, chosen) {
  const source = (data.sources || [])[chosen];
  element("source").hidden = !source;
  if (!source) return;
  const isIts = (at) => data.functions[at][0] === source.function && data.functions[at][1] === source.place;
  const its = new Set(data.functions.map((_, at) => at).filter(isIts));
  const lineOf = (at) => (its.has(functionOf(data, graph(), at)) ? data.frames[graph().frames[at]][1] : null);
  const sums = sumsBy(graph(), below, lineOf);
  element("source-name").replaceChildren(made("b", "", source.function), ` ${source.place}`);
  element("source-note").textContent = sourceNote(source, sums);
  const callees = calleesByLine(below, lineOf);
  const rows = source.lines.map((text, at) => sourceRow(source.first + at, text, sums, callees));
  element("lines").replaceChildren(...rows);
  element("source-box").hidden = !rows.length;
  scrollToHottest(rows, source.first, sums);
}

function sourceNote(source, sums) {
  const said = source.missing ? [`No source to show: ${source.missing}.`] : [];
  if (!sums.size) said.push("It does not run in what is shown.");
  const nowhere = sums.get(0);
  if (nowhere && nowhere.own) said.push(`${percent(nowhere.own, view.total)} in it are of no known line.`);
  return said.join(" ");
}

// What a line called: line -> callee's label -> samples. A line that a stack holds twice counts for each.
function calleesByLine({ rows, inside }, lineOf) {
  const found = new Map();
  for (const [at, total] of rows) {
    const caller = graph().parents[at], line = at && inside[caller] ? lineOf(caller) : null;
    if (line === null) continue;
    if (!found.has(line)) found.set(line, new Map());
    const [label, , , inlined] = data.functions[functionOf(data, graph(), at)];
    const name = label + (inlined ? " (inlined)" : "");
    found.get(line).set(name, (found.get(line).get(name) || 0) + total);
  }
  return found;
}

function sourceRow(number, text, sums, callees) {
  const sum = sums.get(number) || { own: 0, total: 0 };
  const largest = Array.from(callees.get(number) || []).sort((a, b) => b[1] - a[1]).slice(0, 3);
  const note = largest.map(([name, samples]) => `${name} ${percent(samples, view.total)}`).join(", ");
  return made("tr", sum.total ? "" : "idle", shareCell(sum.own, view.total), shareCell(sum.total, view.total),
    made("td", "number quiet", String(number)), made("td", "", made("code", "", text)), made("td", "quiet", note));
}

function scrollToHottest(rows, first, sums) {
  const lines = Array.from(sums).filter(([line]) => rows[line - first]).sort((a, b) => b[1].own - a[1].own || b[1].total - a[1].total);
  const box = element("source-box");
  box.scrollTop = lines.length ? Math.max(rows[lines[0][0] - first].offsetTop - box.clientHeight / 2, 0) : 0;
}

// A differential graph: what the hovered box changed by. Its columns are in the graph's unit.
function changeClasses(node) {
  const diff = graph().diff;
  if (!diff) return [];
  const sign = diff.verdict[node.index];
  return sign ? [sign > 0 ? "slower" : "faster", `step-${diff.step[node.index]}`] : ["unchanged"];
}

function changeText(node) {
  const diff = graph().diff, at = node.index, inSeconds = diff.unit === "s";
  const value = (each) => (inSeconds ? milliseconds(each) : each.toPrecision(3)), unit = inSeconds ? "ms" : "samples";
  const signed = (each) => (each < 0 ? "−" : "+") + value(Math.abs(each));
  const said = (what, before, after, low, high) => {
    const interval = low === null ? "too few samples to tell" : `${signed(low)} to ${signed(high)}`;
    return `${what} ${value(before)} → ${value(after)} ${unit}, ${signed(after - before)} (${interval})`;
  };
  const parts = [];
  if (node.callees.length) {
    parts.push(said("with callees", diff.total_before[at], diff.total_after[at], diff.total_low[at], diff.total_high[at]));
  }
  if (diff.before[at] || diff.after[at]) {
    const verdict = { 1: ": slower", 0: ": within noise", "-1": ": faster" }[diff.verdict[at]];
    parts.push(said("itself", diff.before[at], diff.after[at], diff.low[at], diff.high[at]) + (diff.low[at] === null ? "" : verdict));
  }
  return parts;
}
