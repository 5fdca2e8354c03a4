"""Say what runs where, and why: ``python -m mbpo.doctor``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mbpo.command_line import OneLineParser
from mbpo.envs.make import BoxEnv
from mbpo.errors import MBPOError, report
from mbpo.manifest import machine, versions
from mbpo.ops import build_info

ENVIRONMENTS = ("Pendulum-v1", "InvertedPendulum-v5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print versions, machine, the op's backend and which environments can be made."""
    parser = OneLineParser(prog="python -m mbpo.doctor", description=__doc__)
    try:
        parser.parse_args(arguments)
    except MBPOError as error:
        return report(error)
    _print("versions", versions())
    _print("machine", machine())
    ops = {name: str(info) for name, info in build_info().items()}
    on_gpu = str(build_info("cuda")["ensemble_mlp"])
    _print("op", {**ops, "all of them on cuda": on_gpu})
    _print("environments", {env_id: _environment(env_id) for env_id in ENVIRONMENTS})
    return 0


def _environment(env_id: str) -> str:
    try:
        env = BoxEnv(env_id)
    except MBPOError as error:
        return str(error)
    env.close()
    return f"ok: obs [{env.obs_dim}], action [{env.action_dim}]"


def _print(title: str, facts: dict[str, object] | dict[str, str]) -> None:
    print(title)
    for name, value in facts.items():
        print(f"  {name:<20} {value}")


if __name__ == "__main__":
    sys.exit(main())
