"""`python -m include.sandbox`: serve the sandbox, print how to reach it, look into it, and make faults."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from .catalogue import read, rules
from .clouds import CLOUDS, PUBLIC
from .proxy import execute
from .server import as_json, connection, serve
from .wire import Json

STATE = Path(os.environ.get("SANDBOX_STATE", ".demo/sandbox"))
PORT = int(os.environ.get("SANDBOX_PORT", "8443"))
RECORD = Path(os.environ["SANDBOX_RECORD"]) if os.environ.get("SANDBOX_RECORD") else None
ADDRESSES = "the range of machines' public IP addresses, so that a server of yours can answer there (default: ranges for documentation)"


def ask(state: Path, port: int, method: str, path: str, body: object = None) -> object:
    """One request to a served sandbox's control API. Raises SystemExit with the reason where that fails."""
    if not (state / "ca.pem").is_file():
        raise SystemExit(f"there is no sandbox in {state}; name its folder with --state, or SANDBOX_STATE")
    context = ssl.create_default_context(cafile=str(state / "ca.pem"))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"https://127.0.0.1:{port}/_sandbox/{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310 -- an https address of the sandbox's own
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the sandbox refused: {error.read().decode() or error.reason}") from None
    except urllib.error.URLError as error:
        raise SystemExit(
            f"no sandbox answers on port {port}: {error.reason}; start one with `python -m include.sandbox serve --port {port}`"
        ) from None


def port_number(text: str) -> int:
    """A TCP port; 0 is any that is free. Raises ValueError."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return port


def factor(text: str) -> float:
    """By how much time is divided. Raises ValueError."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0: 1 is Azure's own speed, 60 makes an hour a minute")
    return number


def folder(text: str) -> Path:
    """Where a folder is or can be made."""
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file and no folder")
    return Path(text)


def address_range(text: str) -> str:
    """A range of IPv4 addresses. Raises ValueError."""
    return str(ipaddress.IPv4Network(text))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m include.sandbox", description="A local Azure Resource Manager for image building.")
    commands = made.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text, description=text)
        found.add_argument(
            "--state", type=folder, default=STATE, help="folder that keeps certificates, identity and state (default: %(default)s)"
        )
        found.add_argument("--port", type=port_number, default=PORT, help="default: %(default)s")
        return found

    server = command("serve", "Serve over HTTPS until interrupted.")
    server.add_argument("--host", default="127.0.0.1", help="address to bind; the control API answers loopback only (default: %(default)s)")
    server.add_argument("--speed", type=factor, default=1.0, help="divides every latency and Retry-After (default: 1)")
    server.add_argument("--seed", type=int, default=0, help="same seed, same requests: same answers (default: 0)")
    server.add_argument(
        "--throttle", action=argparse.BooleanOptionalAction, help="refuse what goes over Azure's rate limits (default: at speed 1 only)"
    )
    server.add_argument("--faults", type=Path, metavar="FILE", help="rules in YAML to begin with, as faults --add @FILE takes them")
    server.add_argument("--no-control", action="store_true", help="serve without the control API")
    server.add_argument("--cloud", choices=CLOUDS, default=PUBLIC.name, help="which of Azure's clouds it is (default: %(default)s)")
    server.add_argument(
        "--metadata-port", type=port_number, metavar="PORT", help="serve instance metadata there, over plain HTTP on loopback"
    )
    server.add_argument("--public-addresses", type=address_range, metavar="CIDR", help=ADDRESSES)
    server.add_argument(
        "--record", type=Path, default=RECORD, metavar="FILE", help="append every exchange to FILE, as oav validate-traffic reads it"
    )
    found = command("connection", "Print what a client needs, as JSON.")
    found.add_argument("--host", default="127.0.0.1", help="host name that clients use (default: %(default)s)")
    command("status", "Print time, counts and running operations.")
    listing = command("list", "List resources.")
    listing.add_argument("--type", default="", help="such as Microsoft.Compute/virtualMachines")
    faults = command("faults", "List, add or clear fault rules.")
    faults.add_argument("--add", metavar="RULE", help="a ready rule's id or name, a rule as JSON, or @file with rules in YAML or JSON")
    faults.add_argument("--region", help="of the rule that is added: only here")
    faults.add_argument(
        "--match", action="append", default=[], metavar="KEY=PATTERN", help="of the rule that is added: only these requests"
    )
    faults.add_argument("--count", type=int, help="of the rule that is added: fire so many times")
    faults.add_argument("--skip", type=int, help="of the rule that is added: let so many requests pass first")
    faults.add_argument("--probability", type=float, help="of the rule that is added: of firing at each match")
    faults.add_argument("--clear", nargs="?", const="", metavar="NAME", help="remove one rule, or all")
    faults.add_argument("--ready", action="store_true", help="list the ready rules")
    out = command("dump", "Write all state as JSON.")
    out.add_argument("file", nargs="?", default="-", help="default: standard output")
    back = command("load", "Become a state that was dumped; time skips ahead to it where it is behind.")
    back.add_argument("file", nargs="?", default="-", help="default: standard input")
    skip = command("advance", "Skip ahead in time.")
    skip.add_argument("seconds", type=float)
    around = command("exec", "Run a command whose calls to Azure's public hosts the sandbox answers: exec -- az group list")
    around.add_argument(
        "--speed", type=factor, default=60.0, help="of the sandbox that is started where none serves the port (default: %(default)g)"
    )
    around.add_argument("--public-addresses", type=address_range, metavar="CIDR", help=ADDRESSES)
    around.add_argument("--cloud", choices=CLOUDS, default=PUBLIC.name, help="whose hosts are answered (default: %(default)s)")
    around.add_argument("words", nargs="+", metavar="COMMAND", help="what to run, after --")
    issuer = command("issuer", "Learn the keys of an issuer of tokens for workload identities.")
    issuer.add_argument("url", help="as the tokens' iss claim has it")
    issuer.add_argument("keys", type=Path, help="file with the JSON Web Key Set that the issuer's jwks_uri shows")
    newer = command("publish", "Publish a newer platform image.")
    newer.add_argument("urn", help="publisher:offer:sku:version")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = parser().parse_args(arguments)
    state, port = given.state, given.port
    match given.command:
        case "serve":
            serve(
                state,
                port,
                host=given.host,
                speed=given.speed,
                seed=given.seed,
                control=not given.no_control,
                throttle=given.throttle,
                faults=given.faults,
                record=given.record,
                public_addresses=(given.public_addresses,) if given.public_addresses else (),
                cloud=given.cloud,
                metadata_port=given.metadata_port,
            )
        case "connection":
            print(as_json(connection(state, port, given.host)))
        case "status":
            _print(ask(state, port, "GET", "status"))
        case "list":
            _print(ask(state, port, "GET", f"resources?type={quote(given.type)}"))
        case "faults":
            if given.ready:
                for rule in rules().values():
                    print(f"{rule['name']:<36} {rule['about']}")
            elif given.add:
                _print(ask(state, port, "POST", "faults", _rules(given)))
            elif given.clear is not None:
                _print(ask(state, port, "DELETE", f"faults?name={quote(given.clear)}" if given.clear else "faults"))
            else:
                _print(ask(state, port, "GET", "faults"))
        case "dump":
            dumped = json.dumps(ask(state, port, "GET", "state"))
            if given.file == "-":
                print(dumped)
            else:
                Path(given.file).write_text(dumped + "\n")
        case "load":
            try:
                found = json.loads(sys.stdin.read() if given.file == "-" else Path(given.file).read_text())
            except (OSError, ValueError) as problem:
                raise SystemExit(f"the dump cannot be read: {problem}") from None
            _print(ask(state, port, "PUT", "state", found))
        case "advance":
            _print(ask(state, port, "POST", "advance", {"seconds": given.seconds}))
        case "exec":
            return execute(given.words, state, port, speed=given.speed, public_addresses=given.public_addresses or "", cloud=given.cloud)
        case "issuer":
            try:
                found = json.loads(given.keys.read_text())
            except (OSError, ValueError) as problem:
                raise SystemExit(f"the keys cannot be read: {problem}") from None
            keys = found.get("keys") if isinstance(found, dict) else found
            _print(ask(state, port, "POST", "issuers", {"issuer": given.url, "keys": keys}))
        case "publish":
            parts = given.urn.split(":")
            if len(parts) != 4:
                raise SystemExit(f"a urn is publisher:offer:sku:version, not {given.urn!r}")
            _print(ask(state, port, "POST", "marketplace", dict(zip(("publisher", "offer", "sku", "version"), parts, strict=True))))
    return 0


def _rules(given: argparse.Namespace) -> list[Json]:
    """The rules that `faults --add` names, narrowed by the other options."""
    try:
        found = read(Path(given.add[1:]).read_text() if given.add.startswith("@") else given.add)
    except (OSError, ValueError) as problem:
        raise SystemExit(str(problem)) from None
    match = dict(one.partition("=")[::2] for one in given.match)
    if given.region:
        match["region"] = given.region
    wanted = {name: value for name in ("count", "skip", "probability") if (value := getattr(given, name)) is not None}
    if match:
        found = [{**rule, "match": {**rule.get("match", {}), **match}} for rule in found]
    return [{**rule, **wanted} for rule in found]


def _print(value: object) -> None:
    print(json.dumps(value, indent=2))


if __name__ == "__main__":
    sys.exit(main())
