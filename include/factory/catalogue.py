"""The catalogue: a folder of recipes, with their scripts beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from include.factory.base import GalleryBase
from include.factory.catalogue_cache import CatalogueCache, cache_file, stamp
from include.factory.folder import catalogue_folder
from include.factory.problem import Location, Problem, RecipeError, dotted
from include.factory.publish import Publish
from include.factory.recipe import Recipe

LARGEST = 256 * 1024  # bytes of a recipe or a script; a run command's script is of this order

__all__ = ["Catalogue", "Problem", "RecipeError", "catalogue_folder", "load_catalogue", "load_recipe"]


@dataclass(frozen=True)
class Catalogue:
    """The good recipes by name, in order of their names, and the problems of the others."""

    recipes: dict[str, Recipe] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


# The last catalogue of this process without a problem, by the file of its cache, and the stamps of both's files.
_CHECKED: dict[Path, tuple[dict[str, list[int]], Catalogue]] = {}


def load_catalogue(folder: Path) -> Catalogue:
    """Read every ``*.yaml`` of `folder`. A recipe with a problem is not among the recipes and hides no other.

    A process that asks again while no file has changed gets what it got before: nobody may change it.

    :raises NotADirectoryError: there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder of recipes")
    cache = cache_file(folder)
    stamps, checked = _CHECKED.get(cache, ({}, Catalogue()))
    if not stamps or stamps != _stamps(folder, stamps):
        checked, stamps = _load(folder)
        with suppress(OSError):
            stamps[str(cache)] = stamp(cache.stat())
        _CHECKED[cache] = ({} if checked.problems else stamps, checked)
    return checked


def _stamps(folder: Path, files: Iterable[str]) -> dict[str, list[int]]:
    """The stamps of `files` that are there, and of every recipe."""
    recipes = {entry.name for entry in os.scandir(folder) if entry.name.endswith((".yaml", ".yml")) and not entry.name.startswith(".")}
    found: dict[str, list[int]] = {}
    for name in recipes.union(files):
        with suppress(OSError):
            found[name] = stamp((folder / name).stat())
    return found


def _load(folder: Path) -> tuple[Catalogue, dict[str, list[int]]]:
    """The catalogue, and the stamps of all that was read for it; without those of files that changed a moment ago."""
    cache = CatalogueCache(folder)
    reader = _Reader(folder, cache)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.name.endswith(".yml"):
            reader.problem(entry.name, (), "recipes are named *.yaml", f"Rename it to {entry.name[:-4]}.yaml.")
        elif entry.name.endswith(".yaml") and entry.is_file():
            reader.read(entry.name)
    cache.save()
    return reader.catalogue(), cache.stamps()


def load_recipe(folder: Path, name: str) -> Recipe:
    """Read one recipe, and those that it is built on.

    :raises RecipeError: it has problems, or is not there.
    """
    reader = _Reader(folder, None)
    pending, read = [f"{name}.yaml"], set()
    while pending:
        file = pending.pop()
        if file in read or Path(file).name != file or not (folder / file).is_file():
            continue
        read.add(file)
        reader.read(file)
        recipe = reader.recipes.get(file.removesuffix(".yaml"))
        if recipe is not None and recipe.parent is not None:
            pending.append(f"{recipe.parent}.yaml")
    catalogue = reader.catalogue()
    if name in catalogue.recipes:
        return catalogue.recipes[name]
    problems = [problem for problem in catalogue.problems if problem.file == str(folder / f"{name}.yaml")]
    missing = Problem(str(folder / f"{name}.yaml"), 1, "", f"there is no recipe {name!r}", "Its file is the recipe's name with .yaml.")
    raise RecipeError(problems or [missing])


class _Reader:
    """Reads files one by one, then looks at them together."""

    def __init__(self, folder: Path, cache: CatalogueCache | None) -> None:
        self.folder = folder
        self.recipes: dict[str, Recipe] = {}
        self._cache = cache
        self._problems: dict[str, list[Problem]] = {}
        self._data: dict[str, Any] = {}
        self._scripts: dict[str, tuple[str, str, str]] = {}

    def problem(self, file: str, location: Location, message: str, cure: str) -> None:
        """Add a problem of `file` at the field `location`."""
        line = 1
        if location:
            from include.factory.yaml_file import YamlError, locate, parse

            try:
                line, _ = locate(parse((self.folder / file).read_text("utf-8"))[1], location)
            except (OSError, ValueError, YamlError):
                line = 1
        self._problems.setdefault(file, []).append(Problem(str(self.folder / file), line, dotted(location), message, cure))

    def read(self, file: str) -> None:
        """Read and validate one file; what is good goes to `recipes`, what is not to the problems."""
        name = file.removesuffix(".yaml")
        data = self._parsed(file)
        self._data[name] = data
        if file in self._problems:
            return
        try:
            if not isinstance(data, dict) or "scripts" in data or "parent_image" in data:
                raise TypeError
            recipe: Recipe | None = Recipe.model_validate(data)
        except (ValidationError, TypeError):
            from include.factory.diagnosis import diagnose
            from include.factory.yaml_file import parse

            content, node = parse((self.folder / file).read_text("utf-8"))
            problems, recipe = diagnose(str(self.folder / file), content, node)
            self._data[name] = content
            if problems:
                self._problems[file] = problems
        if recipe is None:
            return
        if recipe.name != name:
            self.problem(
                file, ("name",), f"the recipe is named {recipe.name!r} and its file {file!r}", f"Rename the file to {recipe.name}.yaml."
            )
        digests = self._digests(file, recipe)
        if file not in self._problems:
            self.recipes[name] = recipe.model_copy(update={"scripts": digests})

    def catalogue(self) -> Catalogue:
        """What was read, with the problems that recipes have with each other."""
        self._find_cycles()
        self._find_shared_definitions()
        self._find_shared_galleries()
        for name, recipe in list(self.recipes.items()):
            if recipe.parent is not None:
                self._place_on_parent(name, recipe, recipe.parent)
        good = {name: recipe for name, recipe in sorted(self.recipes.items()) if f"{name}.yaml" not in self._problems}
        return Catalogue(good, sorted(problem for problems in self._problems.values() for problem in problems))

    def _parsed(self, file: str) -> Any:
        path = self.folder / file
        try:
            stat = path.stat()
            if self._cache is not None and (known := self._cache.get(file, stat)) is not None:
                return known
            if stat.st_size > LARGEST:
                return self.problem(
                    file, (), f"the file is over {LARGEST // 1024} KB", "A recipe is a page or two; put scripts into files."
                )
            text = path.read_text("utf-8")
        except OSError as error:
            return self.problem(file, (), f"the file cannot be read: {error.strerror}", "Check its permissions.")
        except UnicodeDecodeError:
            return self.problem(file, (), "the file is not UTF-8 text", "Save it as UTF-8.")
        from include.factory.yaml_file import YamlError, parse

        try:
            data, _ = parse(text)
        except YamlError as error:
            self._problems[file] = [Problem(str(path), line, "", message, cure) for line, message, cure in error.faults]
            return None
        if self._cache is not None:
            self._cache.put(file, stat, data)
        return data

    def _digests(self, file: str, recipe: Recipe) -> dict[str, str]:
        """SHA-256 of each script that the recipe names; what is wrong with one is a problem of the recipe."""
        scripts = [*recipe.steps, *recipe.checks, *([recipe.boot_test] if recipe.boot_test else [])]
        digests: dict[str, str] = {}
        for script in {script.script: None for script in scripts if script.script is not None}:
            if script not in self._scripts:
                self._scripts[script] = self._script(script)
            digest, message, cure = self._scripts[script]
            if message:
                for location in _places(self._data[file.removesuffix(".yaml")], script):
                    self.problem(file, location, message, cure)
            digests[script] = digest
        return digests

    def _script(self, script: str) -> tuple[str, str, str]:
        """(SHA-256, what is wrong with it or "", the cure) of a script file."""
        path = self.folder / script
        try:
            stat = path.stat()
            if self._cache is not None and isinstance(known := self._cache.get(script, stat), str):
                return known, "", ""
            content = path.read_bytes()
            content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, UnicodeDecodeError):
                return "", f"{script} is not UTF-8 text", "Save it as UTF-8."
            return "", f"{script} cannot be read: {error.strerror}", f"Put the file at {self.folder / script}, or correct the path."
        if not content.strip():
            return "", f"{script} is empty", "A script that does nothing is left out."
        if len(content) > LARGEST:
            return "", f"{script} is over {LARGEST // 1024} KB", "Let it fetch what is large with the machine's identity."
        if script.endswith(".sh") and b"\r\n" in content:
            return "", f"{script} has Windows line ends, which no shell reads", "Save it with LF line ends."
        digest = sha256(content).hexdigest()
        if self._cache is not None:
            self._cache.put(script, stat, digest)
        return digest, "", ""

    def _find_cycles(self) -> None:
        for name in self.recipes:
            chain = [name]
            while (recipe := self.recipes.get(chain[-1])) is not None and recipe.parent is not None and recipe.parent not in chain:
                chain.append(recipe.parent)
            if recipe is not None and recipe.parent == name:
                self.problem(
                    f"{name}.yaml",
                    ("base", "recipe"),
                    f"the recipes are built on each other: {' -> '.join([*chain, name])}",
                    "Give one of them a base of its own.",
                )

    def _find_shared_definitions(self) -> None:
        by_definition: dict[tuple[str, ...], list[str]] = {}
        by_identifier: dict[tuple[str, ...], list[str]] = {}
        for name, recipe in self.recipes.items():
            gallery = (recipe.publish.resource_group.lower(), recipe.publish.gallery.lower())
            by_definition.setdefault((*gallery, recipe.definition.lower()), []).append(name)
            by_identifier.setdefault((*gallery, *(word.lower() for word in recipe.identifier)), []).append(name)
        shared = {name: names for names in by_definition.values() if len(names) > 1 for name in names}
        for name, names in shared.items():
            self._conflict(
                name,
                ("publish", "definition"),
                names,
                "publish to this definition",
                "Give each recipe a definition of its own (publish.definition).",
            )
        for names in by_identifier.values():
            for name in names if len(names) > 1 else ():
                if name not in shared:
                    self._conflict(
                        name,
                        ("publish", "sku"),
                        names,
                        "have this publisher, offer and SKU",
                        "They name one definition of a gallery; change publish.sku.",
                    )

    def _find_shared_galleries(self) -> None:
        """A gallery is shared directly, or with the community, as a whole: all recipes that publish to it must say the same."""
        by_gallery: dict[tuple[str, str], list[Recipe]] = {}
        for recipe in self.recipes.values():
            by_gallery.setdefault((recipe.publish.resource_group.lower(), recipe.publish.gallery.lower()), []).append(recipe)
        for recipes in by_gallery.values():
            said = {recipe.name: recipe.share.gallery_wide() if recipe.share else (frozenset(), frozenset(), None) for recipe in recipes}
            for recipe in recipes if len(set(said.values())) > 1 else ():
                others = ", ".join(name for name, words in said.items() if words != said[recipe.name])
                self.problem(
                    f"{recipe.name}.yaml",
                    ("share",) if recipe.share else ("publish", "gallery"),
                    f"{others} and this recipe share the gallery {recipe.publish.gallery} differently, which Azure shares as a whole",
                    "Write the same subscriptions, tenants and community in each, or publish to a gallery of its own.",
                )

    def _conflict(self, name: str, location: Location, names: Iterable[str], what: str, cure: str) -> None:
        others = ", ".join(other for other in names if other != name)
        self.problem(f"{name}.yaml", location, f"{others} and this recipe both {what}", cure)

    def _place_on_parent(self, name: str, recipe: Recipe, parent_name: str) -> None:
        """Write down where the parent publishes. A broken parent takes no child away while its gallery can be read."""
        file = f"{name}.yaml"
        parent = self.recipes.get(parent_name)
        if parent is None and parent_name not in self._data:
            from difflib import get_close_matches

            nearest = get_close_matches(parent_name, [known for known in self._data if known != name], n=1)
            cure = (
                f"Did you mean {nearest[0]}?"
                if nearest
                else "Name a recipe of this folder, or write gallery, definition and resource_group."
            )
            self.problem(file, ("base", "recipe"), f"there is no recipe {parent_name!r}", cure)
            return
        if parent is not None:
            self._compare_with_parent(file, recipe, parent)
            publish, definition = parent.publish, parent.definition
        else:
            try:
                publish = Publish.model_validate((self._data[parent_name] or {}).get("publish"))
            except (ValidationError, AttributeError):
                self.problem(
                    file,
                    ("base", "recipe"),
                    f"where {parent_name!r} publishes cannot be read",
                    f"Correct the problems of {parent_name}.yaml.",
                )
                return
            definition = publish.definition or parent_name
        version = recipe.base.version if hasattr(recipe.base, "version") else "latest"
        image = GalleryBase(resource_group=publish.resource_group, gallery=publish.gallery, definition=definition, version=version)
        self.recipes[name] = recipe.model_copy(update={"parent_image": image})

    def _compare_with_parent(self, file: str, recipe: Recipe, parent: Recipe) -> None:
        for word in ("type", "generation", "architecture"):
            mine, theirs = getattr(recipe.os, word), getattr(parent.os, word)
            if mine != theirs:
                self.problem(
                    file, ("os", word), f"it is {mine}, and the base {parent.name} is {theirs}", f"Write {theirs}, or choose another base."
                )
        makes = {"Standard": {"Standard"}, "TrustedLaunchSupported": {"Standard", "TrustedLaunch"}}.get(
            parent.os.security_type, {parent.os.security_type}
        )
        if recipe.machine_security not in makes:
            self.problem(
                file,
                ("os", "security_type"),
                f"it needs a {recipe.machine_security} machine, and the base {parent.name} ({parent.os.security_type}) makes none",
                f"Write os.security_type: {parent.os.security_type}, or choose another base.",
            )
        if parent.build.region != recipe.build.region and recipe.build.region not in {region.name for region in parent.target_regions}:
            self.problem(
                file,
                ("build", "region"),
                f"the base {parent.name} is not replicated to {recipe.build.region}",
                f"Add {recipe.build.region} to its regions, or build in {' or '.join(region.name for region in parent.target_regions)}.",
            )


def _places(data: dict[str, Any], script: str) -> Iterator[Location]:
    """Where the file names the script, in its short form or its long one."""
    lists = {group: data.get(group) for group in ("steps", "checks")}
    named: list[tuple[Location, Any]] = [(("boot_test",), data.get("boot_test"))]
    named += [((group, index), step) for group, steps in lists.items() if isinstance(steps, list) for index, step in enumerate(steps)]
    for location, step in named:
        path = step.get("script") if isinstance(step, dict) else step
        if isinstance(path, str) and PurePosixPath(path).as_posix() == script:
            yield (*location, "script")
