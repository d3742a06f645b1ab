"""What the network is compared with, each at one sensible setting; nothing here is part of a model that is served."""
