"""What speedscope asks of a file (https://www.speedscope.app/file-format-schema.json), as a judge of ours."""

from typing import Any

UNITS = ("none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes")


class Invalid(Exception):
    """What speedscope would not open."""


def judge(file: dict[str, Any]) -> None:
    """Raises Invalid."""
    _require(file, "$", {"$schema": str, "shared": dict, "profiles": list}, {"name": str, "exporter": str})
    if file["$schema"] != "https://www.speedscope.app/file-format-schema.json":
        raise Invalid(f"$schema: {file['$schema']!r}")
    _require(file["shared"], "shared", {"frames": list})
    for at, frame in enumerate(file["shared"]["frames"]):
        _require(frame, f"frame {at}", {"name": str}, {"file": str, "line": (int, float), "col": (int, float)})
    for profile in file["profiles"]:
        _judge_profile(profile, len(file["shared"]["frames"]))


def _judge_profile(profile: dict[str, Any], frames: int) -> None:
    number = (int, float)
    _require(profile, "profile", {"type": str, "name": str, "unit": str, "startValue": number, "endValue": number})
    if profile["unit"] not in UNITS:
        raise Invalid(f"unit {profile['unit']!r}")
    if profile["type"] == "evented":
        _require(profile, "profile", {"events": list})
        for event in profile["events"]:
            _require(event, "event", {"type": str, "at": number, "frame": int})
            if event["type"] not in ("O", "C"):
                raise Invalid(f"event {event['type']!r}")
            _require_frame(event["frame"], frames)
    elif profile["type"] == "sampled":
        _require(profile, "profile", {"samples": list, "weights": list})
        for stack in profile["samples"]:
            if not isinstance(stack, list):
                raise Invalid(f"sample {stack!r} is no list")
            for frame in stack:
                _require_frame(frame, frames)
        for weight in profile["weights"]:
            if not isinstance(weight, number):
                raise Invalid(f"weight {weight!r}")
    else:
        raise Invalid(f"type {profile['type']!r}")


def _require(value: Any, where: str, needed: dict[str, Any], optional: dict[str, Any] | None = None) -> None:
    """That a value is an object with the needed entries, and that those, and optional ones, are of these types."""
    if not isinstance(value, dict):
        raise Invalid(f"{where}: {value!r} is no object")
    for name in needed:
        if name not in value:
            raise Invalid(f"{where}: no {name}")
    for name, kind in (needed | (optional or {})).items():
        if name in value and not isinstance(value[name], kind):
            raise Invalid(f"{where}: {name} is {value[name]!r}")


def _require_frame(at: Any, frames: int) -> None:
    if not isinstance(at, int) or not 0 <= at < frames:
        raise Invalid(f"frame {at!r} of {frames}")
