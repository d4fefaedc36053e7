"""The tools of ``appointment_desk.toml``: a toy calendar that is the same every week.

They are plain functions with keyword arguments that return JSON-able values; a real desk would ask its own
calendar here.
"""

from __future__ import annotations

from typing import Any

CALENDAR: dict[str, tuple[str, ...]] = {
    "monday": ("09:00", "10:30", "15:00"),
    "tuesday": ("10:00", "11:00", "14:30"),
    "wednesday": ("09:30", "13:00"),
    "thursday": ("10:00", "14:00", "16:00"),
    "friday": ("09:00", "11:30"),
    "saturday": (),
    "sunday": (),
    "today": ("16:30",),
    "tomorrow": ("09:00", "14:00"),
}
"""The free times (HH:MM) of each day as a caller may name it."""


def find_slots(*, day: str, time: str = "") -> dict[str, Any]:
    """Find the free times of a day (``"tuesday"``); with ``time`` (``"10:30"``) whether it is free."""
    times = CALENDAR.get(day.lower(), ())
    return {"day": day, "times": list(times), "free": time in times}


def book_appointment(*, day: str, time: str, name: str) -> dict[str, Any]:
    """Book a time for a person. ``booked`` is false where the time is not free."""
    return {"booked": time in CALENDAR.get(day.lower(), ()), "day": day, "time": time, "name": name}
