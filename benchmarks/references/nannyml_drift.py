"""NannyML's drift detection, as it comes, in an environment of its own: `nannyml_drift.py REFERENCE WINDOWS ROWS`.

REFERENCE and WINDOWS are CSV files; each ROWS rows of WINDOWS are a window. Prints a JSON list: of each window the
columns for which its univariate calculator alerts: by Jensen-Shannon distance and a bound from chunks of the reference.
"""

import json
import os
import sys

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import pandas as pd


def main() -> None:
    """Judge every window."""
    reference, windows = (pd.read_csv(path, keep_default_na=True) for path in sys.argv[1:3])
    names = list(reference.columns)
    texts = [name for name in names if not pd.api.types.is_numeric_dtype(reference[name])]
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=names, treat_as_categorical=texts, chunk_size=int(sys.argv[3])
    )
    found = calculator.fit(reference).calculate(windows).filter(period="analysis").to_df()
    alerts = {name: found[name, "jensen_shannon", "alert"].tolist() for name in names}
    print(json.dumps([[name for name in names if alerts[name][window]] for window in range(len(found))]))


if __name__ == "__main__":
    main()
