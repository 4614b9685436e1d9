"""# Broken recipes

No DAG comes from this file. It fails to import while a recipe or a backup is broken, so that Airflow shows the file, line, field
and cure of every problem as an import error, and the DAGs of the good recipes (`build_images.py`) stay as they are.
"""

from __future__ import annotations

from image_factory.notices import broken_notifiers
from include.factory.backup import load_backups
from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder

catalogue = load_catalogue(catalogue_folder())
backups = load_backups(catalogue_folder(), catalogue)
told = broken_notifiers([*catalogue.recipes.values(), *backups.backups.values()])
if problems := [*map(str, catalogue.problems), *map(str, backups.problems), *told]:
    raise ValueError("\n".join(["broken recipes:", *problems]))
