"""The decision log and its life cycle: lines, segments, encryption, archives, retention, erasure, lookup."""
