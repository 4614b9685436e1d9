"""Microsoft Graph, as far as role assignments and sharing need it: users, groups with their members, applications and service principals.

Shapes: traffic of `az ad` and `az role assignment` recorded in azure-cli's tests (2022 to 2025); rules: the Graph v1.0 reference. What
is not there is refused as Graph refuses an unknown segment of a path.
"""
