"""What a published version consists of: model card, background of explanations, and the BentoML store."""
