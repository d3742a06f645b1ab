"""What happens to a scored row: the decision log, the whylogs profiles, and the process that keeps the two consistent.

Owns: `<directory>/decisions/` (append-only, personal data), `<directory>/archive/` (the same rows as Parquet) and
`<directory>/profiles/` (sketches and a checkpoint).
Leaves to others: what a row means (models), when it is scored (serving).

    service ── DecisionLog.append ──> decisions/*.log ── Profiler ──> profiles/<name>/<version>/<window>.bin
                                             |              └─ profiles/checkpoint.json: position and commit point
                                             └── compact, once profiled ──> archive/*/*.parquet
"""
