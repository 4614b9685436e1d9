"""A local Azure Resource Manager for image building: the embedded default, the test bench, and the place where faults are made."""
