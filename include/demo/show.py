"""What `make demo` shows: what starts, each step of each build, the regions as they fill, and the table of what was published."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from include.demo.builds import Builds, Step
from include.demo.published import Gallery, Published
from include.demo.settings import USER, DemoError, Settings
from include.demo.stack import Stack
from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder
from include.factory.recipe import Recipe

POLL_SECONDS = 1.5
BUILD_SECONDS = 1800  # a demo that takes longer hangs
QUARTER = 25  # percent: how often a region's progress is worth a line of its own


class Screen:
    """Lines for everything that happened; on a terminal, below them, what is happening now."""

    def __init__(self) -> None:
        # A file or a pipe has no width; a table that is cut short there helps nobody.
        self.console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
        self._begin = time.monotonic()
        self._live: Live | None = None

    def say(self, line: str) -> None:
        self.console.print(Text(f"{time.monotonic() - self._begin:5.0f} s  {line}"))

    def show_now(self, steps: Sequence[Step], versions: Sequence[Published]) -> None:
        """Draw what is at work; on anything but a terminal, nothing."""
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=4)
            self._live.start()
        lines = [Text(f"         {step}", style="cyan") for step in steps]
        lines += [Text(f"         {_replication(version)}", style="green") for version in versions if version.regions]
        self._live.update(Group(*lines))

    def end_now(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


class Replication:
    """Says how the versions' regions fill: a line for each new state, and for each quarter of the way."""

    def __init__(self, gallery: Gallery, recipes: Mapping[str, Recipe]) -> None:
        self._gallery = gallery
        self._recipes = recipes
        self._said: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
        self._complete: set[tuple[str, str]] = set()
        self.unfinished: list[Published] = []

    def changes(self) -> list[str]:
        lines, self.unfinished = [], []
        first = not self._said
        for recipe in self._recipes.values():
            for version in self._gallery.versions(recipe, without=self._complete):
                marks = {name: (region.state, region.progress // QUARTER) for name, region in version.regions.items()}
                key = (version.recipe, version.version)
                complete = not version.lacks(recipe)
                if self._said.get(key) != marks and marks and not (first and complete):
                    lines.append(_replication(version))
                self._said[key] = marks
                if complete:
                    self._complete.add(key)
                else:
                    self.unfinished.append(version)
        return lines


def read_recipes(folder: Path) -> tuple[Mapping[str, Recipe], list[str]]:
    """The recipes that can be built, and what is wrong with the others: one broken recipe hides no other.

    :raises DemoError: none can be built.
    """
    catalogue = load_catalogue(folder)
    broken = [str(problem) for problem in catalogue.problems]
    if not catalogue.recipes:
        raise DemoError("\n".join([f"There is no recipe in {folder} that can be built.", *broken]))
    return catalogue.recipes, broken


def show(settings: Settings, *, once: bool) -> int:
    """Run the demo. Returns the exit code: 0 when every version is Completed in every region of its recipe.

    :raises DemoError: it could not start, or a build did not end.
    """
    screen = Screen()
    recipes, broken = read_recipes(settings.recipes or catalogue_folder())
    for sentence in broken:
        screen.say(f"Left out: {sentence}")
    with ExitStack() as open_until_end:
        open_until_end.callback(screen.end_now)
        try:
            stack = open_until_end.enter_context(Stack(settings, screen.say))
            # Stopping takes some seconds; an impatient second Ctrl-C must not cut it short.
            open_until_end.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
            api = open_until_end.enter_context(stack.api())
            gallery = open_until_end.enter_context(Gallery(stack.connection))
            builds, replication = Builds(api, recipes), Replication(gallery, recipes)
            screen.say(f"Airflow runs: {settings.url}, user {USER}, password {settings.secrets().password}")
            builds.start()
            screen.say(f"Building {', '.join(recipes)}")
            _follow(screen, stack, builds, replication)
            published = {name: gallery.versions(recipe) for name, recipe in recipes.items()}
            problems = [*broken, *builds.failed(), *_gaps(recipes, published)]
            screen.end_now()
            _conclude(screen, settings, recipes, published, problems)
            if not once:
                screen.say("Runs until Ctrl-C.")
                _follow(screen, stack, builds, replication, for_ever=True)
        except KeyboardInterrupt:
            screen.end_now()
            screen.say("Stopping")
            open_until_end.close()
            screen.say("Stopped")
            return 130 if once else 0
        screen.say("Stopping")
    return 1 if problems else 0


def _follow(screen: Screen, stack: Stack, builds: Builds, replication: Replication, *, for_ever: bool = False) -> None:
    deadline = time.monotonic() + BUILD_SECONDS
    while for_ever or not builds.have_ended():
        if not for_ever and time.monotonic() > deadline:
            running = ", ".join(f"{step.recipe} {step.task}" for step in builds.running()) or "nothing"
            raise DemoError(f"The builds did not end within {BUILD_SECONDS // 60} minutes; running: {running}. Logs: {stack.settings.logs}")
        if not stack.supervisor.is_alive():
            raise DemoError(f"The supervisor was killed, and the demo with it. Its log: {stack.settings.logs / 'supervisord.log'}")
        for sentence in stack.supervisor.changes():
            screen.say(sentence)
        if stack.supervisor.has_given_up():
            raise DemoError("A component does not start any more; its log says why.")
        try:
            for step in builds.changes():
                screen.say(str(step))
            for line in replication.changes():
                screen.say(line)
        except httpx.HTTPError:
            pass  # a component is being restarted, which the supervisor's sentences say
        screen.show_now(builds.running(), replication.unfinished)
        time.sleep(POLL_SECONDS)


def _replication(version: Published) -> str:
    regions = ", ".join(f"{name} {region}" for name, region in version.regions.items())
    return f"{version.recipe:<24} {version.version:<38} {regions}"


def _gaps(recipes: Mapping[str, Recipe], published: Mapping[str, list[Published]]) -> list[str]:
    """A sentence for every recipe without a version, and every version that is not Completed in a region of its recipe."""
    sentences = [f"{name}: no version was published" for name in recipes if not published[name]]
    for name, versions in published.items():
        for version in versions:
            sentences += [f"{name} {version.version}: not Completed in {region}" for region in version.lacks(recipes[name])]
    return sentences


def _conclude(
    screen: Screen, settings: Settings, recipes: Mapping[str, Recipe], published: Mapping[str, list[Published]], problems: Sequence[str]
) -> None:
    regions = list(dict.fromkeys(target.name for recipe in recipes.values() for target in recipe.target_regions))
    table = Table(title="Published versions", title_justify="left")
    for heading in ("Image", "Version", *regions):
        table.add_column(heading, no_wrap=True)
    for versions in published.values():
        for version in versions:
            wanted = {target.name for target in recipes[version.recipe].target_regions}
            cells = [str(version.regions.get(region, "missing")) if region in wanted else "" for region in regions]
            table.add_row(version.recipe, version.version, *cells)
    screen.console.print(table)
    for problem in problems:
        screen.say(problem)
    screen.say(f"Airflow: {settings.url}, user {USER}, password {settings.secrets().password}")
    screen.say(f"Sandbox: https://127.0.0.1:{settings.sandbox_port}; logs: {settings.logs}")
