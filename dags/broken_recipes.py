"""# Broken recipes

No DAG comes from this file. It fails to import while a recipe of the catalogue is broken, so that Airflow shows the file, line, field
and cure of every problem as an import error, and the DAGs of the good recipes (`build_images.py`) stay as they are.
"""

from __future__ import annotations

from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder

if problems := load_catalogue(catalogue_folder()).problems:
    raise ValueError("\n".join(["broken recipes:", *map(str, problems)]))
