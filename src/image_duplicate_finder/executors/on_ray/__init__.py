"""The work of a scan on a Ray cluster (extra ``[ray]``). The only place that knows Ray."""

from image_duplicate_finder.executors.on_ray.executor import RayExecutor

__all__ = ["RayExecutor"]
