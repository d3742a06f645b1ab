"""Where the page is, beside the records: for who writes it, and for the service, which only reads it."""

FOLDER, INDEX, FIGURES = "monitor", "index.html", "figures.json"
