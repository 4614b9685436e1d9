"""The sandbox judged by recordings of real Azure traffic: `python -m tests.fidelity`, `make fidelity`."""
