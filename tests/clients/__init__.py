"""Clients and judges that others wrote, run against the sandbox. Each is installed below `.judges/` when its test first runs."""
