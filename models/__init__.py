"""The contract that training and serving share: schema, request and response types, network, graph, artifact."""
