"""What trains in seconds: a small model, and gates that let it pass."""

SMALL = """\
split: {test: 0.2, seed: 0}
network: {layers: [8], members: 2}
encoding: {numbers: piecewise_linear, bins: 4}
training: {epochs: 20, folds: 2, learning_rate: 0.02}
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
fairness: {least_approval_ratio: 0.0, most_odds_difference: 1, least_rows: 30}
onnx_difference: 1.0e-6
most_artifact_bytes: 50000000
most_latency_ratio: 1000
most_roc_auc: {default: 1}
approvers: []
waivers: []
"""
