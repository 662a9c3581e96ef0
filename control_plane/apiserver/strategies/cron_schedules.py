"""Schedules of CronJobs: the five fields and the descriptors that robfig/cron's standard parser takes, and names of time zones."""

from __future__ import annotations

import re
import zoneinfo
from typing import Final

_CRON_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_WORDS: Final = {
    3: {name: at for at, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)},
    4: {name: at for at, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])},
}
_DESCRIPTORS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_ZONE_PART: Final = re.compile(r"[A-Za-z._0-9+-]{1,14}")


def zone_problem(zone: str) -> str:
    """What is wrong with the name of a time zone; "" when nothing."""
    if not zone:
        return "timeZone must be nil or non-empty string"
    if any(part in {".", ".."} or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in zone.split("/")):
        return f"unknown time zone {zone}"
    if zone.lower() == "local":
        return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {zone}"
    return ""


def schedule_problem(schedule: str) -> str:
    """What is wrong with a cron expression; "" when nothing."""
    if schedule.startswith("@"):
        if schedule in _DESCRIPTORS or re.fullmatch(r"@every (\d+(\.\d+)?(ns|us|ms|s|m|h))+", schedule):
            return ""
        return f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        fields = fields[1:]
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    parts = ((part, position) for position, field in enumerate(fields) for part in field.split(","))
    return next((problem for part, position in parts if (problem := _part_problem(part, position))), "")


def _part_problem(part: str, position: int) -> str:
    low, high = _CRON_RANGES[position]
    span, slash, step = part.partition("/")
    if slash and (not step.isdecimal() or int(step) == 0):
        return f"failed to parse int from {step}: strconv.Atoi: parsing \"{step}\": invalid syntax" if step != "0" else \
            f"step of range should be a positive number: {part}"
    if span in {"*", "?"}:
        return ""
    bounds = [_CRON_WORDS.get(position, {}).get(bound.lower(), int(bound) if bound.isdecimal() else -1) for bound in span.split("-")]
    if len(bounds) > 2:
        return f"too many hyphens: {part}"
    if -1 in bounds:
        return f"failed to parse int from {span}: strconv.Atoi: parsing \"{span}\": invalid syntax"
    if min(bounds) < low:
        return f"beginning of range ({min(bounds)}) below minimum ({low}): {part}"
    if max(bounds) > high:
        return f"end of range ({max(bounds)}) above maximum ({high}): {part}"
    return "" if bounds == sorted(bounds) else f"beginning of range ({bounds[0]}) beyond end of range ({bounds[1]}): {part}"
