"""Who is told of findings, once, when they begin and when they end: a webhook, Slack, GitHub."""
