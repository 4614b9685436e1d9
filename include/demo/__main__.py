"""``python -m include.demo``: what `make demo` runs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from include.demo.configuration import airflow_connection, environment_file
from include.demo.database import Postgres
from include.demo.settings import PROJECT, DemoError, Settings


def parser() -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser(prog="python -m include.demo", description=__doc__)
    commands.add_argument("--state", type=Path, default=PROJECT / ".demo", help="folder of the demo's files (default: %(default)s)")
    chosen = commands.add_subparsers(dest="command", required=True)
    up = chosen.add_parser("up", help="start everything, build the shipped recipes, run until Ctrl-C")
    up.add_argument("--once", action="store_true", help="stop when the builds have ended; exit 0 only if every version is in every region")
    up.add_argument("--api-port", type=_port, default=8080, help="of the UI and the REST API (default: %(default)s)")
    up.add_argument("--sandbox-port", type=_port, default=8443, help="of the sandbox's Resource Manager (default: %(default)s)")
    up.add_argument("--speed", type=_speed, default=60, help="the sandbox divides every latency by it (default: %(default)s)")
    airflow = chosen.add_parser("airflow", help="Airflow's command line, in the demo's configuration", add_help=False)
    airflow.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen.add_parser("connection", help="turn what `python -m include.sandbox connection` prints into an Airflow connection")
    chosen.add_parser("database", help="the demo's Postgres, in the foreground (the supervisor runs this)")
    return commands


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 1 to 65535")
    return port


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0: 1 is Azure's own speed, 60 makes an hour a minute")
    return speed


def run(arguments: argparse.Namespace) -> int:
    state = arguments.state.absolute()
    if arguments.command == "database":
        postgres = Postgres(Settings(state))
        postgres.prepare()
        postgres.replace_this_process()
    if arguments.command == "connection":
        try:
            print(airflow_connection(json.load(sys.stdin)))
        except (ValueError, KeyError, TypeError):
            raise DemoError("Standard input is not what `python -m include.sandbox connection` prints. Pipe that into this.") from None
        return 0
    if arguments.command == "airflow":
        try:
            environment = json.loads(environment_file(state).read_text())
        except FileNotFoundError:
            raise DemoError(f"No demo was started in {state}. Run: make demo") from None
        os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments.arguments], {**os.environ, **environment})

    if arguments.api_port == arguments.sandbox_port:
        other = arguments.api_port % 65535 + 1
        raise DemoError(f"API_PORT and SANDBOX_PORT are both {arguments.api_port}. Choose another: make demo SANDBOX_PORT={other}")

    from include.demo.show import show

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    settings = Settings(state, api_port=arguments.api_port, sandbox_port=arguments.sandbox_port, speed=arguments.speed)
    return show(settings, once=arguments.once)


def main() -> None:
    try:
        sys.exit(run(parser().parse_args()))
    except DemoError as error:
        sys.exit(f"make demo: {error}")


if __name__ == "__main__":
    main()
