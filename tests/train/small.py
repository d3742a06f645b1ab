"""What trains in seconds: a small model, gates that let it pass, no pictures, and the kernels of an old processor."""

SMALL = """\
split: {test: 0.2, seed: 0}
network: {layers: [8], members: 2}
encoding: {numbers: piecewise_linear, bins: 4}
training: {steps: 120, folds: 2, learning_rate: 0.02}
"""
LENIENT = """\
folds: 2
repeats: 1
confidence: 0.9
bootstrap: 100
baseline: configs/models/000_baseline.yaml
least_gain_over_baseline: -1
least_gain_over_champion: -1
calibration_slope: [-100, 100]
least_saving: -100
margins: {saving: 0, roc_auc: 1, test_roc_auc: 1}
least_test_events: 2
most_departure: 1
least_reasons_kept: 0
fairness: {least_approval_ratio: 0.0, most_odds_difference: 1, least_rows: 30}
onnx_difference: 1.0e-6
most_artifact_bytes: 50000000
most_latency_ratio: 1000
most_roc_auc: {default: 1}
leak: {most_column_roc_auc: 1, most_column_information_value: 100, most_column_purity: 1, most_shared_rows: 1}
approvers: []
waivers: []
"""
# In the environment of a forked training: Matplotlib saves one pixel for each figure (`tests.train.warm_up`). Drawing
# them takes four tenths of a small training, and all are drawn in the trainings of test_dvc*.py and test_tracking.py.
UNDRAWN = {"TESTS_WITHOUT_DRAWING": "1"}
OLDEST_KERNELS = {  # the variables that PyTorch, the libraries that it calls, and NumPy take their kernels from
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
