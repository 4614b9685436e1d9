"""The domain: what an image recipe is and what a run of it will do. Pure values and functions; no Airflow and no Azure SDK."""
