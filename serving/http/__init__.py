"""HTTP: `POST /predict`, `POST /explain`, and the pages."""
