"""From a published model to a running service: packing it, rolling it out, and the files for other platforms."""
