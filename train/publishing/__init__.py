"""The parts of a published version: model card, background of explanations, and the BentoML store."""
