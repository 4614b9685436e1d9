"""Recipes that are wrong in one place each, as changes of one good recipe.

The line where the problem must be reported carries the comment ``# here``; `says` stands in the message and `cure` in its cure.
"""

# ruff: noqa: E501 (a table)

from __future__ import annotations

from dataclasses import dataclass

GOOD = """\
name: good
owner: team@example.com
description: An image
schedule:
  cron: "0 2 * * *"
  time_zone: Europe/Amsterdam
os:
  type: Linux
  state: Generalized
  security_type: TrustedLaunch
base: Canonical:ubuntu-24_04-lts:server:latest
build:
  region: eastus2
  sizes: [Standard_D2s_v5]
  data_disks:
    - {lun: 0, size_gb: 64}
    - {lun: 1, size_gb: 64}
steps:
  - scripts/one.sh
  - name: two
    run: echo two
    timeout: 10m
    environment:
      MODE: fast
checks:
  - scripts/one.sh
publish:
  gallery: factory
  resource_group: rg-factory
replicate:
  regions:
    - eastus2
    - westeurope
retention:
  keep: 5
tags:
  team: platform
"""


@dataclass(frozen=True)
class Malformed:
    name: str
    replace: str
    by: str
    field: str
    says: str
    cure: str = ""

    @property
    def text(self) -> str:
        assert GOOD.count(self.replace) >= 1, self.name
        text = GOOD.replace(self.replace, self.by, 1)
        assert text.count("# here") == 1, self.name
        return text

    @property
    def line(self) -> int:
        return next(number for number, line in enumerate(self.text.splitlines(), start=1) if "# here" in line)


M = Malformed
MALFORMED = [
    # wrong types
    M("the_name_is_a_number", "name: good", "name: 2404 # here", "name", "2404 is not text", "quotes"),
    M("the_steps_are_no_list", "checks:\n  - scripts/one.sh", "checks: 5 # here", "checks", "5 is not a list", "- "),
    M("the_build_is_a_word", "tags:\n  team: platform", "tags: platform # here", "tags", "not a mapping", "key: value"),
    M("a_disk_size_is_a_word", "{lun: 1, size_gb: 64}", "{lun: 1, size_gb: big} # here", "build.data_disks[1].size_gb", "not a whole number"),
    M("spot_is_neither", "  region: eastus2\n", "  region: eastus2\n  spot: perhaps # here\n", "build.spot", "neither true nor false"),
    M("a_zone_is_a_number", "  region: eastus2\n", "  region: eastus2\n  zone: 2 # here\n", "build.zone", "2 is not text", "quotes: '2'"),
    M("no_is_a_word", "retention:", "boot_test: no # here\nretention:", "boot_test", "'no' is a word here", "true or false"),
    M("yes_is_a_word", "retention:", "approval: Yes # here\nretention:", "approval", "'Yes' is a word here", "true or false"),
    M("a_tag_is_a_number", "team: platform", "team: 7 # here", "tags.team", "7 is not text", "'7'"),
    M("nothing_after_the_key", "owner: team@example.com", "owner: # here", "owner", "null is not text"),
    # unknown and missing fields
    M("an_unknown_field", "owner: team@example.com", "owner: team@example.com\nshedule: daily # here", "shedule", "unknown", "schedule"),
    M("an_unknown_field_of_the_build", "  region: eastus2\n", "  region: eastus2\n  size: Standard_D2s_v5 # here\n", "build.size", "unknown", "sizes"),
    M("an_unknown_field_of_a_step", "    timeout: 10m", "    time_out: 10m # here", "steps[1].time_out", "unknown", "timeout"),
    M("an_unknown_field_of_the_base", "base: Canonical:ubuntu-24_04-lts:server:latest",
      "base:\n  recipe: good-parent\n  verison: latest # here", "base.verison", "unknown", "version"),
    M("a_field_that_the_catalogue_fills_in", "owner: team@example.com", "owner: team@example.com\nscripts: {} # here", "scripts", "unknown"),
    M("no_region", "build:\n  region: eastus2\n", "build: # here\n", "build.region", "missing", "region of the build"),
    M("no_gallery", "publish:\n  gallery: factory\n", "publish: # here\n", "publish.gallery", "missing", "compute gallery"),
    M("a_step_without_a_script", "  - name: two\n    run: echo two\n", "  - name: two # here\n", "steps[1]", "no script", "run"),
    # words
    M("an_unknown_os", "type: Linux", "type: Solaris # here", "os.type", "'Solaris' is not one of", "Linux or Windows"),
    M("a_name_with_capitals", "name: good", "name: Good_Image # here", "name", "'Good_Image' is not a lower-case name"),
    M("a_name_that_is_too_long", "name: good", f"name: {'long-' * 12}name # here", "name", "longer than 50"),
    M("a_gallery_with_a_hyphen", "gallery: factory", "gallery: image-factory # here", "publish.gallery", "not a gallery name", "no hyphen"),
    M("an_unknown_region", "region: eastus2\n", "region: eastus22 # here\n", "build.region", "not an Azure region", "eastus2"),
    M("a_size_of_another_cloud", "[Standard_D2s_v5]", "[m5.large] # here", "build.sizes[0]", "not a VM size"),
    M("a_urn_of_two_words", "base: Canonical:ubuntu-24_04-lts:server:latest", "base: Canonical:ubuntu # here", "base", "not a marketplace URN"),
    M("a_urn_without_a_number", "server:latest", "server:newest # here", "base", "'newest' is not a version", "`latest`"),
    M("a_base_of_no_kind", "base: Canonical:ubuntu-24_04-lts:server:latest", "base: {name: ubuntu} # here", "base", "names no base image", "gallery"),
    M("a_base_version_of_two_numbers", "base: Canonical:ubuntu-24_04-lts:server:latest",
      "base: {gallery: factory, definition: x, resource_group: rg, version: '1.2'} # here", "base.version", "not a version"),
    M("an_id_of_another_kind", "base: Canonical:ubuntu-24_04-lts:server:latest",
      "base:\n  managed_image: /subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d # here",
      "base.managed_image", "not the id of a Microsoft.Compute/images"),
    # schedule
    M("a_cron_of_four_fields", '"0 2 * * *"', '"0 2 * *" # here', "schedule.cron", "4 field(s)", "Five fields"),
    M("a_cron_out_of_range", '"0 2 * * *"', '"0 25 * * *" # here', "schedule.cron", "not a cron expression"),
    M("a_cron_that_never_comes", '"0 2 * * *"', '"0 0 31 2 *" # here', "schedule.cron", "not a cron expression that ever comes"),
    M("an_unknown_preset", '"0 2 * * *"', '"@nightly" # here', "schedule.cron", "not a cron preset", "@daily"),
    M("an_unknown_time_zone", "Europe/Amsterdam", "Europe/Amsterdm # here", "schedule.time_zone", "not a time zone", "Europe/Amsterdam"),
    M("a_schedule_without_a_time", 'schedule:\n  cron: "0 2 * * *"\n  time_zone: Europe/Amsterdam', "schedule: {on_new_base: false} # here", "schedule",
      "names no time", "on_new_base: true"),
    M("a_watch_of_a_base_without_versions",
      '  time_zone: Europe/Amsterdam\nos:\n  type: Linux\n  state: Generalized\n  security_type: TrustedLaunch\nbase: Canonical:ubuntu-24_04-lts:server:latest',
      "  on_new_base: true # here\nos:\n  type: Linux\n  security_type: TrustedLaunch\n"
      "base: {managed_image: /subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i}",
      "schedule.on_new_base", "the base has no versions"),
    # durations and bounds
    M("a_duration_in_words", "timeout: 10m", "timeout: ten minutes # here", "steps[1].timeout", "not a duration", "30m"),
    M("a_timeout_over_what_azure_allows", "timeout: 10m", "timeout: 3h # here", "steps[1].timeout", "3h is out of bounds", "1h30m"),
    M("a_lun_over_63", "{lun: 1, size_gb: 64}", "{lun: 64, size_gb: 64} # here", "build.data_disks[1].lun", "64 is over 63"),
    M("too_many_replicas", "    - westeurope", "    - {name: westeurope, replica_count: 101} # here", "replicate.regions[1].replica_count", "over 100"),
    M("nothing_to_keep", "keep: 5", "keep: 0 # here", "retention.keep", "0 is under 1"),
    # telling people
    M("an_event_that_there_is_not", "retention:", "notify: [{events: [done], notifier: a.B}] # here\nretention:", "notify[0].events[0]", "done"),
    M("a_notifier_that_is_no_path", "retention:", "notify: [{events: failed, notifier: smtp}] # here\nretention:", "notify[0].notifier",
      "not the path of a notifier class", "SmtpNotifier"),
    M("a_password_for_a_notifier", "retention:", "notify: [{events: failed, notifier: a.B, arguments: {password: hunter2}}] # here\nretention:",
      "notify[0].arguments", "in plain text", "connection"),
    # versions
    M("a_version_part_over_int32", "  gallery: factory", "  gallery: factory\n  version: '3000000000.{yyyymmdd}.{hhmmss}' # here",
      "publish.version", "over 2147483647"),
    M("a_date_in_one_part_over_int32", "  gallery: factory", "  gallery: factory\n  version: '1.0.{yyyymmddhhmm}' # here",
      "publish.version", "passes 2147483647", "Spread"),
    M("a_version_that_does_not_grow", "  gallery: factory", "  gallery: factory\n  version: '{mmdd}.{yyyy}.{hhmmss}' # here",
      "publish.version", "does not grow with time"),
    M("a_version_of_two_parts", "  gallery: factory", "  gallery: factory\n  version: '1.{yyyymmdd}' # here", "publish.version", "2 part(s), not three"),
    # what does not go together
    M("trusted_launch_by_a_managed_image", "build:", "capture: managed_image # here\nbuild:", "capture", "cannot be captured by managed_image", "snapshot"),
    M("specialized_and_supported", "state: Generalized\n  security_type: TrustedLaunch",
      "state: Specialized\n  security_type: TrustedLaunchSupported # here", "os.security_type", "always generalized", "TrustedLaunch or Standard"),
    M("a_standard_machine_for_trusted_launch", "  region: eastus2\n", "  region: eastus2\n  security_type: Standard # here\n",
      "build.security_type", "cannot become a TrustedLaunch image"),
    M("trusted_launch_of_generation_1", "security_type: TrustedLaunch", "generation: V1\n  security_type: TrustedLaunch # here",
      "os.security_type", "needs generation V2"),
    M("arm64_and_supported", "security_type: TrustedLaunch", "architecture: Arm64\n  security_type: TrustedLaunchSupported # here",
      "os.security_type", "no Arm64"),
    M("a_region_twice_by_its_display_name", "    - westeurope", "    - East US 2 # here", "replicate.regions[1]", "eastus2 is also regions[0]"),
    M("a_region_without_an_encryption_set", "  regions:\n    - eastus2\n    - westeurope",
      "  regions: # here\n    - eastus2\n    - name: westeurope\n      encryption_set: "
      "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/e",
      "replicate.regions", "eastus2 has none", "every region"),
    M("a_lun_twice", "{lun: 1, size_gb: 64}", "{lun: 0, size_gb: 64} # here", "build.data_disks[1].lun", "also that of data_disks[0]"),
    M("a_step_name_twice", "  - name: two\n", "  - name: one # here\n", "steps[1].name", "also the name of steps[0]"),
    M("a_script_and_a_text", "  - name: two\n", "  - name: two # here\n    script: scripts/one.sh\n", "steps[1]", "both `script` and `run`"),
    M("powershell_on_linux", "  - scripts/one.sh\n  - name: two", "  - scripts/other.ps1 # here\n  - name: two", "steps[0].script", "does not run on Linux", "bash"),
    M("block_deletion_without_an_end_of_life", "  gallery: factory",
      "  gallery: factory\n  safety:\n    block_deletion_before_end_of_life: true # here",
      "publish.safety.block_deletion_before_end_of_life", "no end of life", "publish.end_of_life"),
    M("the_security_type_as_a_feature", "  gallery: factory", "  gallery: factory\n  features:\n    SecurityType: TrustedLaunch # here",
      "publish.features.SecurityType", "not written here", "os.security_type"),
    M("a_tag_of_the_factory", "team: platform", "image-factory-run: mine # here", "tags.image-factory-run", "factory's own"),
    # scripts
    M("a_missing_script", "steps:\n  - scripts/one.sh", "steps:\n  - scripts/none.sh # here", "steps[0].script", "cannot be read", "Put the file"),
    M("an_empty_script", "steps:\n  - scripts/one.sh", "steps:\n  - scripts/empty.sh # here", "steps[0].script", "is empty"),
    M("a_script_with_windows_line_ends", "steps:\n  - scripts/one.sh", "steps:\n  - scripts/crlf.sh # here", "steps[0].script", "Windows line ends"),
    M("a_script_outside_the_catalogue", "steps:\n  - scripts/one.sh", "steps:\n  - ../secret.sh # here", "steps[0]", "not a script of the catalogue"),
    # secrets
    M("a_password", "MODE: fast", "ADMIN_PASSWORD: hunter2 # here", "steps[1].environment.ADMIN_PASSWORD", "plain text", "Key Vault"),
    M("a_camel_case_token", "MODE: fast", "registryToken: abc # here", "steps[1].environment.registryToken", "plain text", "identity"),
    M("an_account_key", "MODE: fast", "STORE: DefaultEndpointsProtocol=https;AccountKey=Zm9vYmFyYmF6cXV4 # here",
      "steps[1].environment.STORE", "a storage or service key"),
    M("a_shared_access_signature", "MODE: fast", "FROM: https://x.blob.core.windows.net/a?sv=2022&sig=abcdefgh1234 # here",
      "steps[1].environment.FROM", "a shared access signature"),
    M("a_private_key_in_a_script", "run: echo two", "run: 'echo \"-----BEGIN RSA PRIVATE KEY-----\"' # here", "steps[1].run", "a private key"),
    M("a_password_in_a_url", "MODE: fast", "FROM: https://me:secret@example.com/ # here", "steps[1].environment.FROM", "a password in a URL"),
    # YAML
    M("a_key_twice", "owner: team@example.com", "owner: team@example.com\nowner: other@example.com # here", "", "stands also in line 2"),
    M("an_alias", "    - {lun: 0, size_gb: 64}\n    - {lun: 1, size_gb: 64}", "    - &it {lun: 0, size_gb: 64} # here\n    - *it", "", "anchor"),
    M("an_alias_of_a_word", "name: good\nowner: team@example.com", "name: &it good # here\nowner: *it", "", "anchor"),
    M("a_tag_of_yaml", "description: An image", "description: !secret x # here", "", "the tag !secret"),
    M("a_tab", '  cron: "0 2 * * *"', '\tcron: "0 2 * * *" # here', "", "not YAML", "spaces, not tabs"),
]  # fmt: skip
