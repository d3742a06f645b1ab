"""What happened during a load: the ledger, its latencies, and how they are shown and handed over."""
