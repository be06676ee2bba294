// From a graph's flat columns to the tree that is drawn, and sums over a part of it. Nothing here touches the page.
// A graph's columns: parents (a caller before its callees), frames (index into data.frames), own (samples).
const THREAD = "thread ";
const functionOf = (data, graph, at) => data.frames[graph.frames[at]][0];

// The frames directly below the root that stand for threads.
function threadsOf(data, graph) {
  const found = [];
  graph.parents.forEach((parent, at) => {
    if (at && parent === 0 && data.functions[functionOf(data, graph, at)][0].startsWith(THREAD)) found.push(at);
  });
  return found;
}

// thread: "apart", "merged", or the index of one thread's frame. by: "function" or "line".
// A node: { frame, key, own, total, callees (largest first), at (its place among them), caller, index (in the columns) }.
// `nodes` gives every row of the columns its node; null where another thread was chosen.
function buildTree(data, graph, thread, by) {
  const threads = new Set(thread === "apart" ? [] : threadsOf(data, graph));
  const nodes = new Array(graph.parents.length).fill(null);
  const make = (at, key, caller) => ({ frame: graph.frames[at], key, own: 0, total: 0, callees: [], found: new Map(), caller, at: 0, index: at });
  const root = nodes[0] = make(0, -1, null);
  graph.parents.forEach((parent, at) => {
    const caller = nodes[parent];
    if (at && caller && threads.has(at)) nodes[at] = thread === "merged" || Number(thread) === at ? root : null;
    else if (at && caller) {
      const key = by === "line" ? graph.frames[at] : functionOf(data, graph, at);
      if (!caller.found.has(key)) caller.found.set(key, make(at, key, caller));
      nodes[at] = caller.found.get(key);
    }
    if (nodes[at] && (at || thread === "apart" || thread === "merged")) nodes[at].own += graph.own[at];
  });
  return { root, nodes, order: settle(root, data) };
}

// Totals, and callees with the largest first; returns the nodes, callers first.
function settle(root, data) {
  const order = [root];
  for (let next = 0; next < order.length; next++) order.push(...order[next].found.values());
  for (let last = order.length - 1; last >= 0; last--) {
    const node = order[last];
    node.total += node.own;
    if (node.caller) node.caller.total += node.total;
  }
  const label = (node) => data.functions[data.frames[node.frame][0]][0];
  for (const node of order) {
    node.callees = Array.from(node.found.values()).filter((callee) => callee.total > 0);
    node.callees.sort((a, b) => b.total - a.total || (label(a) < label(b) ? -1 : 1));
    node.callees.forEach((callee, at) => { callee.at = at; });
    node.found = null;
  }
  return order;
}

function pathOf(node) {
  const path = [];
  for (let at = node; at.caller; at = at.caller) path.unshift(at.at);
  return path;
}

// As deep as the path leads: an address of another page may lead nowhere.
function nodeAt(root, path) {
  let node = root;
  for (const at of path) {
    if (!node.callees[at]) break;
    node = node.callees[at];
  }
  return node;
}

// The node of another tree that stands for the same functions, or for as many of them from the root as it has.
function sameNode(data, node, root) {
  const isThread = (each) => data.functions[data.frames[each.frame][0]][0].startsWith(THREAD);
  const wanted = [];
  for (let at = node; at.caller; at = at.caller) if (!isThread(at)) wanted.unshift(data.frames[at.frame][0]);
  const follow = (start) => {
    let at = start, depth = 0;
    for (; depth < wanted.length; depth++) {
      const next = at.callees.find((callee) => data.frames[callee.frame][0] === wanted[depth]);
      if (!next) break;
      at = next;
    }
    return { at, depth };
  };
  const starts = root.callees.filter(isThread);
  const ends = (starts.length ? starts : [root]).map(follow);
  const best = ends.reduce((a, b) => (b.depth > a.depth ? b : a));
  return best.depth ? best.at : root;
}

// Rows of the columns that lie in `top` or below it, as a list with their totals: [at, total]; callers first.
function rowsBelow(graph, nodes, top) {
  const inside = new Uint8Array(nodes.length), totals = graph.own.slice();
  for (let at = 0; at < nodes.length; at++) {
    inside[at] = nodes[at] && (nodes[at] === top || (at && inside[graph.parents[at]])) ? 1 : 0;
    if (!inside[at]) totals[at] = 0;
  }
  for (let at = nodes.length - 1; at > 0; at--) if (inside[at]) totals[graph.parents[at]] += totals[at];
  const rows = [];
  for (let at = 0; at < nodes.length; at++) if (inside[at]) rows.push([at, totals[at]]);
  return { rows, inside };
}

// Sums over rows by keyOf(at) (null: leave out): key -> { own, total }; a stack that holds a key twice counts once.
function sumsBy(graph, { rows, inside }, keyOf) {
  const sums = new Map();
  for (const [at, total] of rows) {
    const key = keyOf(at);
    if (key === null) continue;
    const sum = sums.get(key) || { own: 0, total: 0 };
    sums.set(key, sum);
    sum.own += graph.own[at];
    let above = at;
    do above = above ? graph.parents[above] : -1; while (above >= 0 && inside[above] && keyOf(above) !== key);
    if (above < 0 || !inside[above]) sum.total += total;
  }
  return sums;
}
