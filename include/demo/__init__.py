"""`make demo`: the sandbox, a database and Airflow on one machine, supervised, with nothing to install by hand."""
