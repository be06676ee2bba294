"""Folded stacks as a tree in flat columns, a caller before its callees.

Neither building nor reading it recurses, so a program may recurse as deep as it likes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ROOT = 0


@dataclass
class StackTree:
    """A tree of frames; node 0 is the root, which stands for all stacks.

    parents  index of each node's caller, smaller than its own; the root's is 0
    frames   text of each node's frame
    own      samples of which the node is the innermost frame
    """

    parents: list[int] = field(default_factory=lambda: [ROOT])
    frames: list[str] = field(default_factory=lambda: ["all"])
    own: list[float] = field(default_factory=lambda: [0])
    _found: dict[tuple[int, str], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.parents)

    def add(self, stack: Sequence[str], samples: float) -> int:
        """Count a stack, outermost frame first; returns the node of its innermost frame."""
        at = ROOT
        for frame in stack:
            at = self.callee(at, frame)
        self.own[at] += samples
        return at

    def find(self, stack: Sequence[str]) -> int:
        """The node of the innermost frame of a stack that the tree has."""
        at = ROOT
        for frame in stack:
            if (at, frame) not in self._found:
                break
            at = self._found[at, frame]
        return at

    def totals(self) -> list[float]:
        """Samples of each node with all that it called."""
        return accumulated(self.parents, self.own)

    def callee(self, caller: int, frame: str) -> int:
        """The node of a frame that `caller` calls, made where it is new."""
        found = self._found.get((caller, frame))
        if found is None:
            found = self._found[caller, frame] = len(self.parents)
            self.parents.append(caller)
            self.frames.append(frame)
            self.own.append(0)
        return found


def stack_tree(folded: Mapping[str, float], root: str = "all") -> StackTree:
    """The tree of folded stacks, its root named `root`."""
    tree = StackTree(frames=[root])
    for stack, samples in folded.items():
        tree.add(stack.split(";"), samples)
    return tree


def accumulated(parents: Sequence[int], own: Sequence[float]) -> list[float]:
    """Every node's value with those of all nodes below it."""
    totals = list(own)
    for node in range(len(totals) - 1, ROOT, -1):
        totals[parents[node]] += totals[node]
    return totals


def pruned(tree: StackTree, most: int) -> tuple[StackTree, float]:
    """The tree with at most `most` nodes, and the samples below which a box was taken away (0: none was).

    A box that goes leaves its samples to the innermost caller that stays, so that sums stay as they are.
    """
    if len(tree) <= most:
        return tree, 0.0
    totals = tree.totals()
    limit = sorted(totals, reverse=True)[most]
    kept = StackTree(frames=[tree.frames[ROOT]], own=[tree.own[ROOT]])
    place = [ROOT]  # of each node, or of the caller that took it in
    for node in range(1, len(tree)):
        caller = place[tree.parents[node]]
        at = kept.callee(caller, tree.frames[node]) if totals[node] > limit else caller
        place.append(at)
        kept.own[at] += tree.own[node]
    return kept, limit
