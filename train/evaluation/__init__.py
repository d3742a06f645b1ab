"""Cross-validation of candidates, the evidence for the gates, and the plots of a run."""
