"""What becomes of a scored row: the decision log, the whylogs profiles, and the process that keeps the two equal.

Owns: `<directory>/decisions/` (append-only, personal data), `<directory>/archive/` (the same as Parquet) and
`<directory>/profiles/` (sketches, a checkpoint).
Leaves to others: what a row means (models), when it is scored (serving).

    service ── DecisionLog.append ──> decisions/*.log ── Profiler ──> profiles/<name>/<version>/<window>.bin
                                             |              └─ profiles/checkpoint.json: how far, and the commit point
                                             └── compact, once profiled ──> archive/*/*.parquet
"""
