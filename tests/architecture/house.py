"""Count the house, and fail where it has grown beyond its plan: ``python tests/architecture/house.py``.

A *room* is a module or package directly under mbpo/ or workbench/; an *arrow* a pair of rooms with an import; a *floor*
a place on the longest path of arrows. An arrow is *upward* where it goes against the contracts of import-linter
(``make check`` runs both), and a *circle* is a set of rooms that import each other.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import grimp

LIMITS = {"mbpo": {"rooms": 31, "floors": 10, "arrows": 138, "circles": 0}, "workbench": {"circles": 0}}

Rooms = Mapping[str, set[str]]  # a room and the rooms that it imports


def rooms_of(package: str) -> Rooms:
    """Return the rooms directly under ``package``, each with those it imports."""
    graph = grimp.build_graph(package)
    rooms: dict[str, set[str]] = {room: set() for room in graph.find_children(package)}
    for room in rooms:
        inside = {room, *graph.find_descendants(room)}
        found = {imported for module in inside for imported in graph.find_modules_directly_imported_by(module)}
        rooms[room] = {".".join(name.split(".")[:2]) for name in found} & set(rooms) - {room}
    return rooms


def circles_in(package: str) -> list[list[str]]:
    """Return a circle of modules, each with the next it imports, of any depth; none where there is none."""
    graph = grimp.build_graph(package)
    try:
        TopologicalSorter({m: graph.find_modules_directly_imported_by(m) for m in graph.modules}).prepare()
    except CycleError as error:
        return [error.args[1]]
    return []


def floors_of(rooms: Rooms) -> dict[str, int]:
    """Return the floor of each room, from 1: one above the highest that it imports."""
    floors: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        floors[room] = 1 + max((floors[below] for below in rooms[room]), default=0)
    return floors


def count(package: str) -> dict[str, int]:
    """Return how many rooms, arrows, floors and circles there are."""
    rooms, circles = rooms_of(package), circles_in(package)
    arrows = sum(map(len, rooms.values()))
    try:
        floors = max(floors_of(rooms).values())
    except CycleError as error:
        circles, floors = [*circles, error.args[1]], 0
    for circle in circles:
        print("  circle: " + " -> ".join(circle))
    return {"rooms": len(rooms), "floors": floors, "arrows": arrows, "circles": len(circles)}


def main() -> int:
    """Print the counts beside their limits; return 1 where one is passed."""
    passed = 0
    for package, limits in LIMITS.items():
        found = count(package)
        print(f"{package}: " + ", ".join(f"{n} {what}" for what, n in found.items()))
        for what, most in limits.items():
            if found[what] > most:
                passed = 1
                print(f"error: {package} has {found[what]} {what}, at most {most} are planned", file=sys.stderr)
    if "--rooms" in sys.argv:
        rooms = rooms_of("mbpo")
        for room, floor in sorted(floors_of(rooms).items(), key=lambda item: (-item[1], item[0])):
            print(f"{floor}  {room:<20} -> {', '.join(sorted(name.split('.')[1] for name in rooms[room]))}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
