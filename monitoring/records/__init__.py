"""The decision log and its life: lines, segments, encryption, archives, retention, erasure."""
