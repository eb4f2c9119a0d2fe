"""Pictures in archives, manifests and object storage."""
