"""Builds and runs the image of a bento, by docker, podman or buildah."""
