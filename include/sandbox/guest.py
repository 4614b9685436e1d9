"""The guest: what a machine's operating system has been through, and what a script does to it.

The sandbox never executes a script. It reads it line by line for the few things that decide an image's fate (deprovisioning, sysprep,
shutdown, reboot, a question
for the image state, an unconditional final `exit N`) and for directives in comments with which a script says what it would have done:

    # sandbox: exit 3              the script ends here with this code
    # sandbox: stdout some text    prints a line
    # sandbox: stderr some text    prints a line to standard error
    # sandbox: sleep 90            takes 90 seconds at this point
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from .latency import sample
from .wire import Json

LAST_BYTES = 4096

COMPLETE = "IMAGE_STATE_COMPLETE"
UNDEPLOYABLE = "IMAGE_STATE_UNDEPLOYABLE"
GENERALIZED = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"

_DIRECTIVE = re.compile(r"^\s*(?:#|::|rem)\s*sandbox:\s*(exit|stdout|stderr|sleep)\b\s?(.*)$", re.IGNORECASE)
_DEPROVISION = re.compile(r"\bwaagent\b[^|;&#]*-{1,2}deprovision(\+user)?\b", re.IGNORECASE)
_SYSPREP = re.compile(r"sysprep(\.exe)?\b.*[/-]generalize", re.IGNORECASE)
_LINUX_DOWN = re.compile(r"^\s*(?:sudo\s+)?(?:systemctl\s+)?(?:shutdown\s+(-r|-h|-P|now|\+\d+)|(reboot|poweroff|halt))\b(.*)$")
_WINDOWS_DOWN = re.compile(r"^\s*(?:shutdown(?:\.exe)?\s+[/-]([rs])|(restart|stop)-computer)\b", re.IGNORECASE)
_EXIT = re.compile(r"^exit\s+(\d+)\s*;?\s*$")


def fresh(os_type: str) -> Json:
    """The guest of a platform image: ready to be provisioned."""
    return {
        "deprovisioned": os_type == "Linux",
        "image_state": GENERALIZED if os_type == "Windows" else None,
        "users": [],
        "scripts": [],
        "boots": 0,
    }


def is_ready(content: Json) -> bool:
    """Whether a machine can be provisioned from this OS disk: its guest was deprovisioned (Linux) or generalized by sysprep (Windows).

    A Linux guest that was provisioned and then left alone is provisioned anew, too (recorded: azure-cli's
    test_create_vm_with_shared_gallery_image): cloud-init sees another instance id. What scripts have done to a guest is not known, so
    one that ran any is taken for what Azure's documentation warns of.
    """
    guest = content["guest"]
    if content["os"] == "Windows":
        return bool(guest["image_state"] == GENERALIZED)
    return bool(guest["deprovisioned"] or (guest["boots"] and not guest["scripts"]))


def provision(content: Json, user: str | None) -> None:
    """First boot from a generalized image: the agent makes the user, and the guest is no longer ready to be imaged."""
    guest = content["guest"]
    guest["deprovisioned"] = False
    guest["image_state"] = COMPLETE if content["os"] == "Windows" else None
    guest["users"] = [user] if user else []
    guest["boots"] += 1


def interpret(script: str, content: Json, chance: Random, override: Json | None = None) -> Json:
    """What the script does on this guest.

    Returns {"lines": [[seconds, "out"|"err", text] …], "seconds", "exit_code", "effects": [[seconds, name, arguments] …]}, with seconds
    from the script's start. `override` is a fault's `guest` effect.
    """
    if override is not None and "slower" in override:
        slower = float(override["slower"])
        plan = interpret(script, content, chance)
        stretched = {name: [[at * slower, *rest] for at, *rest in plan[name]] for name in ("lines", "effects")}
        return {**plan, **stretched, "seconds": plan["seconds"] * slower}
    if override is not None and not override.get("stuck"):
        return _overridden(override, chance)
    windows = content["os"] == "Windows"
    rows = script.replace("\r\n", "\n").split("\n")
    speaking = [row for row in rows if row.strip() and not row.lstrip().startswith("#")]
    lines: list[list[Any]] = []
    effects: list[list[Any]] = []
    at = 0.5
    code = 0
    recognised = directed = False
    waits = bool(re.search(r"-Wait\b", script, re.IGNORECASE)) or bool(re.search(r"\bwhile\b|\bdo\s*\{|until", script, re.IGNORECASE))
    for row in rows:
        found = _DIRECTIVE.match(row)
        if found:
            directed = True
            word, text = found.group(1).lower(), found.group(2)
            if word == "sleep":
                at += _number(text)
            elif word == "exit":
                code = int(_number(text))
                break
            else:
                lines.append([at, "out" if word == "stdout" else "err", text])
            continue
        bare = row.strip()
        if not bare or bare.startswith("#"):
            continue
        if not windows and _DEPROVISION.search(bare):
            recognised = True
            at += sample("guest.deprovision", chance)
            lines += [[at, "out", f"WARNING! {text}"] for text in _DEPROVISION_WARNINGS]
            effects.append([at, "guest.deprovisioned", {"user": "+user" in bare}])
        elif windows and _SYSPREP.search(bare):
            recognised = True
            took = sample("guest.sysprep", chance)
            stops = bool(re.search(r"[/-]shutdown", bare, re.IGNORECASE))
            reboots = bool(re.search(r"[/-]reboot", bare, re.IGNORECASE))
            effects.append(
                [
                    at,
                    "guest.sysprep",
                    {"seconds": took, "then": "stop" if stops else "restart" if reboots else "quit", "stuck": bool(override)},
                ]
            )
            if waits and not stops:
                at += took + 1
                lines.append([at, "out", UNDEPLOYABLE if override else GENERALIZED])
            elif waits:
                at += took + 3600  # it is still running when the guest goes down
            else:
                at += 1
        elif windows and "imagestate" in bare.lower() and not _SYSPREP.search(script):
            recognised = True
            lines.append([at, "out", str(content["guest"]["image_state"])])
        elif (down := (_WINDOWS_DOWN if windows else _LINUX_DOWN).match(bare)) is not None:
            recognised = True
            first = (down.group(1) or down.group(2) or "").lower()
            restart = first in ("-r", "r", "reboot", "restart")
            effects.append([at + 2, "guest.restart" if restart else "guest.stop", {}])
    else:
        final = _EXIT.match(speaking[-1]) if speaking else None
        if final is not None:
            code = int(final.group(1))
    if not directed and not (recognised and lines):
        at += 0 if recognised else sample("runCommands.script", chance)
        lines.append([at, "out", f"sandbox: the guest did not execute this script ({len(speaking)} lines); it reports exit code {code}"])
    return {"lines": lines, "seconds": at, "exit_code": code, "effects": effects}


_DEPROVISION_WARNINGS = (
    "The waagent service will be stopped.",
    "Cached DHCP leases will be deleted.",
    "root password will be disabled. You will not be able to login as root.",
    "/etc/resolv.conf will be deleted.",
)


def _overridden(override: Json, chance: Random) -> Json:
    took = float(override.get("sleep", sample("runCommands.script", chance)))
    lines = [
        [took, kind, text] for name, kind in (("stdout", "out"), ("stderr", "err")) for text in str(override.get(name, "")).splitlines()
    ]
    return {"lines": lines, "seconds": took, "exit_code": int(override.get("exit_code", 0)), "effects": []}


def _number(text: str) -> float:
    found = re.match(r"\s*(\d+(?:\.\d+)?)", text)
    return float(found.group(1)) if found else 0.0


def tail(text: str) -> str:
    """The last 4,096 bytes, as the instance view keeps of a command's output."""
    data = text.encode()
    return text if len(data) <= LAST_BYTES else data[-LAST_BYTES:].decode("utf-8", "ignore")
