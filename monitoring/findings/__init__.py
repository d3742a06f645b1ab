"""What is wrong now: findings from drift, performance, the records and the served model."""
