"""Take what a run found out of its directory: pages, trackers, datasets, policies, films. Nothing here can slow it."""
