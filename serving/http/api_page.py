"""The API page at `/`: Swagger UI under the product's name, with links to the other pages.

Owns the HTML. The scripts and styles of Swagger UI are BentoML's, under `/static_content`; its own page brings another
product's name, a ribbon and a tag manager.
"""

from html import escape

PAGES = {
    "/console": "console",
    "/monitor": "monitor",
    "/model": "model",
    "/model/card": "model card",
    "/docs.json": "OpenAPI document",
    "/metrics": "metrics",
}
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%23205493' "
    "d='M1 10h3v5H1zM6 6h3v9H6zM11 1h3v14h-3z'/%3E%3C/svg%3E"
)
HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="./static_content/swagger-ui.css">
<style>
body {{ margin: 0; background: #fafafa; font-family: sans-serif; color: #1b1b1b }}
header {{ max-width: 1460px; margin: auto; padding: 1rem 20px 0; box-sizing: border-box }}
header h1 {{ margin: 0 0 .5rem; font-size: 1.25rem }}
nav a {{ margin-right: 1.25rem; color: #205493 }}
.topbar {{ display: none }}
</style>
</head>
<body>
<header><h1>{title}</h1><nav>{links}</nav></header>
<main id="swagger-ui"></main>
<script src="./static_content/swagger-ui-bundle.js"></script>
<script src="./static_content/swagger-ui-standalone-preset.js"></script>
<script src="./static_content/swagger-initializer.js"></script>
</body>
</html>
"""


def api_page(title: str) -> str:
    """The page with this title."""
    links = "".join(f'<a href=".{path}">{text}</a>' for path, text in PAGES.items())
    return HTML.format(title=escape(title), icon=ICON, links=links)
