"""Who may call, over HTTP and gRPC: API keys with permissions and rates, and the command that makes them."""
