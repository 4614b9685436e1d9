"""The least that a recipe must say; tests add what they are about."""

from __future__ import annotations

SMALLEST = """\
name: ubuntu
owner: team@example.com
os: {type: Linux}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {region: westeurope}
publish: {gallery: images, resource_group: galleries}
"""
