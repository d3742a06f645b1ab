"""What a gate says of a figure, and what the judgement of a model is bound to."""
