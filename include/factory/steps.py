"""Which tasks the DAG of a recipe has, in order, and which step of ``include/steps`` each runs."""

from __future__ import annotations

from include.factory.recipe import Recipe

_CAPTURES = {"virtual_machine": "virtual_machine.capture_source", "managed_image": "image.create", "snapshot": "snapshot.capture"}


def steps_of(recipe: Recipe) -> dict[str, str]:
    """Task id -> ``<module>.<function>`` of its step, in the order in which the DAG runs them.

    The approval, the announcement and the plan itself are tasks too, but run no planned step and are not here.
    """
    steps = {"build_machine.create_resource_group": "resource_group.ensure"}
    if recipe.build.subnet is None:
        steps["build_machine.create_network"] = "network.ensure"
    steps["build_machine.create_virtual_machine"] = "virtual_machine.create"
    steps |= {f"prepare.{step.name}": "run_command.run" for step in recipe.steps}
    steps |= {f"check.{check.name}": "run_command.run" for check in recipe.checks}
    if recipe.os.state == "Generalized":
        steps["generalize.deprovision"] = "guest.deprovision"
    steps["generalize.deallocate"] = "virtual_machine.deallocate"
    if recipe.os.state == "Generalized":
        steps["generalize.mark_generalized"] = "virtual_machine.generalize"
    steps["capture"] = _CAPTURES[recipe.route]
    steps |= {
        "ensure_destination": "destination.ensure",
        "publish_version": "image_version.publish",
    }
    if recipe.boot_test is not None:
        steps["boot_test.create_virtual_machine"] = "virtual_machine.create"
        steps["boot_test.run_script"] = "run_command.run"
    if recipe.disaster_recovery is not None and recipe.encrypted:
        steps["second_gallery.ensure_destination"] = "destination.ensure"
        steps["second_gallery.publish_version"] = "image_version.publish"
    steps |= {
        "replicate_version": "image_version.replicate",
        "promote_version": "image_version.promote",
        "discard_version": "image_version.discard",
        "delete_build": "resource_group.delete",
    }
    return steps


def step_names(recipe: Recipe) -> list[str]:
    """The task ids of :func:`steps_of`, which are the keys of ``Plan.steps``."""
    return list(steps_of(recipe))
