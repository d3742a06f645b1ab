"""What training and serving share: schema, request and response types, scoring, explanations, the artifact."""
